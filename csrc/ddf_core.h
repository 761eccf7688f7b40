/* ddf_core: the state of an engine, and the steps of a job, for all modules that make them.
 *
 * For ddf_engine (what callers do), ddf_worker and ddf_ring (what threads do), and ddf_remote_queue (the remote
 * reader). This module does not depend on them: ddf_engine_new sets the functions that new threads run. One lock guards
 * everything except atomics and fields that are documented to belong to one thread. All functions below are called with
 * it held and hold it when they return, unless they say otherwise; those that end a share release it while the job
 * finishes, so that the job may be gone afterwards unless the caller has another share of it running. In builds with
 * DDF_CHECKS each release of the lock checks the whole state. */
#ifndef DDF_CORE_H
#define DDF_CORE_H

#include <pthread.h>

#include "ddf_debug.h"
#include "ddf_limit.h"
#include "ddf_job.h"
#include "ddf_notifier.h"
#include "ddf_uring.h"

/* Who waits for missed pieces. */
typedef enum ddf_ring_state {
    RING_NONE,  /* threads */
    RING_READY, /* the ring; its thread starts with the first missed piece */
    RING_RUNS,  /* the ring */
    RING_ENDS,  /* threads again, while the ring ends its reads */
} ddf_ring_state;

/* What a thread does. Each thread is in exactly one of these states; the engine counts them. */
typedef enum ddf_thread_state {
    DDF_THREAD_NONE,      /* not counted: not started, ended, or a caller outside of the engine */
    DDF_THREAD_STARTING,  /* created, but not running yet */
    DDF_THREAD_CHOOSING,  /* looks for something to do */
    DDF_THREAD_IDLE,      /* asleep; a caller: it waits for a job or for the end of threads */
    DDF_THREAD_CALLED,    /* called for work, but not awake yet */
    DDF_THREAD_COPYING,   /* prepares a job, or copies what is ready, or finishes the job thereafter: needs a processor */
    DDF_THREAD_AWAY,      /* in a preparation that may wait for storage */
    DDF_THREAD_READING,   /* reads a missed piece, which waits for storage, or finishes the job thereafter */
    DDF_THREAD_FINISHING, /* finishes a job that the ring or the remote reader has read */
    DDF_THREAD_RING,      /* the ring's thread, from its start to its end */
    DDF_THREAD_STATES     /* number of states */
} ddf_thread_state;

/* Threads of the engine, and threads that call it: ddf_engine_run and ddf_engine_wait do some of the work. */
typedef enum ddf_thread_kind { DDF_WORKER, DDF_CALLER, DDF_THREAD_KINDS } ddf_thread_kind;

/* A thread at work for an engine; on its own stack. */
struct ddf_thread {
    ddf_thread_kind kind;
    ddf_thread_state state;
};

struct ddf_engine {
    pthread_mutex_t lock;
    pthread_cond_t work;      /* there is something to do, or a stop */
    pthread_cond_t completed; /* a job is done, a preparation is detached or over, or a thread has ended */

    ddf_jobs fresh;   /* jobs to be prepared, or with pieces that were not tried */
    ddf_jobs waiting; /* jobs with missed pieces that were not taken, in order of submission */
    ddf_jobs remote;  /* the same for remote shards, for the remote reader */
    ddf_jobs ended;   /* jobs that the ring or the remote reader has read, to be finished by a worker */
    uint64_t submitted; /* jobs */
    uint64_t progress;  /* pieces that were read */
    size_t preparing;   /* jobs in preparation */

    size_t threads; /* of the engine, those that start included */
    size_t count[DDF_THREAD_KINDS][DDF_THREAD_STATES]; /* written by ddf_core_move alone */
    size_t reserved; /* 1 between two calls of a caller that has copied: a processor is reserved for it */

    int direct;           /* reads bypass the page cache: nothing is ready */
    size_t ready_threads; /* number of threads that may copy at once */
    ddf_limit limit;        /* number of threads that may be DDF_THREAD_READING */
    int stopping;
    uint64_t last_success;  /* time of the last successful read, ns */
    atomic_int no_retry; /* reads are not retried: the engine stops, or storage does not work */

    ddf_notifier notifier;
    ddf_notifier *remote_reader; /* to be notified of remote pieces, or NULL; borrowed */
    void *(*run_worker)(void *engine);
    void *(*run_ring)(void *engine);
    ddf_uring *ring; /* or NULL; used by its thread alone */
    ddf_ring_state ring_state;
    int ring_asleep; /* 1 if its thread must be woken for more pieces */
    atomic_size_t references;
};

/* ---- life and lock; without the lock ---- */

/* An engine without threads, whose ring, limit and functions are to be set, with one reference. Returns 0 or -errno. */
int ddf_core_new(ddf_engine **out);
void ddf_core_unref(ddf_engine *engine);

/* Abort the program if the lists, the jobs in them and the counts of threads contradict each other. With the lock. */
#ifdef DDF_CHECKS
void ddf_core_check(const ddf_engine *engine);
#else
static inline void ddf_core_check(const ddf_engine *engine) { (void)engine; }
#endif

static inline void ddf_core_lock(ddf_engine *engine) { pthread_mutex_lock(&engine->lock); }

static inline void ddf_core_unlock(ddf_engine *engine) {
    ddf_core_check(engine);
    pthread_mutex_unlock(&engine->lock);
}

/* ---- threads ---- */

/* Move a thread to another state, and update the counts. */
void ddf_core_move(ddf_engine *engine, ddf_thread *thread, ddf_thread_state to);

/* Threads that take any work. */
static inline size_t ddf_core_workers(const ddf_engine *engine) {
    return engine->threads - engine->count[DDF_WORKER][DDF_THREAD_RING];
}

static inline size_t ddf_core_copying(const ddf_engine *engine) {
    return engine->count[DDF_WORKER][DDF_THREAD_COPYING] + engine->count[DDF_CALLER][DDF_THREAD_COPYING];
}

static inline size_t ddf_core_reading(const ddf_engine *engine) {
    return engine->count[DDF_WORKER][DDF_THREAD_READING];
}

/* Whether a thread may be called to copy for a fresh job. If not, a thread that copies takes the job afterwards. */
static inline int ddf_core_may_copy(const ddf_engine *engine) {
    return engine->fresh.head != NULL && ddf_core_copying(engine) + engine->reserved < engine->ready_threads;
}

/* Call or start threads for `n` more shares. Returns 0, or -errno if one could not be started. */
int ddf_core_call_threads(ddf_engine *engine, size_t n);

/* How many threads may wait for a job's missed pieces. */
size_t ddf_core_waiters_for(const ddf_engine *engine, const ddf_job *job);

/* Call threads or the ring to wait for `n` more missed pieces of a job. */
void ddf_core_call_waiters(ddf_engine *engine, const ddf_job *job, size_t n);

/* End the calling thread, which the engine has started. Releases the lock; the caller must not acquire it again. */
void ddf_core_end_thread(ddf_engine *engine, ddf_thread *thread);

/* Notify the remote reader, if there is one, that pieces were queued or cancelled. */
static inline void ddf_core_call_remote_reader(ddf_engine *engine) {
    if (engine->remote_reader != NULL) {
        ddf_notifier_raise(engine->remote_reader);
    }
}

/* ---- steps of a job ---- */

/* Whether something may be copied without waiting. */
int ddf_core_can_be_ready(const ddf_engine *engine, const ddf_job *job);

/* No piece of a job that is DDF_JOB_READY is ready: all pieces that were not tried become missed ones. The job may be
 * gone afterwards. */
void ddf_core_miss_untried(ddf_engine *engine, ddf_job *job);

/* Queue the missed pieces of a job that is in no list and of which all pieces were tried. The job may be gone
 * afterwards. */
void ddf_core_queue_missed(ddf_engine *engine, ddf_job *job);

/* Take the next missed piece of the first job of `queue`. Returns its number. The caller adds the share to
 * job->running. */
size_t ddf_core_take_missed(ddf_jobs *queue, ddf_job *job);

/* Fill `err` for work that was cancelled, and return the status. */
int ddf_core_cancelled(ddf_err *err);

/* End one share of a job, and the job if that was the last share. */
void ddf_core_end_share(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err);

/* The same for a share that the ring or the remote reader has read. The last one of a job is left to a worker: building
 * tables takes time, during which the reader can continue. */
void ddf_core_end_external_share(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err);

/* End a job early: pieces that no thread has taken are left out. */
void ddf_core_end_early(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err);
void ddf_core_cancel(ddf_engine *engine, ddf_job *job);

#endif
