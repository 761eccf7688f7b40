/* ddf_work: the engine from inside: its state, and the steps that a job takes through it.
 *
 * For ddf_engine.c (what callers do), ddf_work.c (workers, which take any job a share at a time), ddf_ring.c and ddf_feed.c
 * (who wait for storage in their place). One lock guards everything but atomics and what is said to belong to one thread.
 * All functions below are called with it held and hold it when they return; those that run a share, or end a job's last
 * one, give it up meanwhile, so that a job may be gone afterwards unless the caller has a share of it running. */
#ifndef DDF_WORK_H
#define DDF_WORK_H

#include <pthread.h>

#include "ddf_engine.h"
#include "ddf_feed.h"
#include "ddf_flow.h"
#include "ddf_uring.h"

/* Who waits for missed pieces: threads; the ring, whose thread starts with the first of them; the ring; threads again,
 * while the ring ends what it has. */
typedef enum ddf_ring_state { RING_NONE, RING_READY, RING_RUNS, RING_ENDS } ddf_ring_state;

struct ddf_engine {
    pthread_mutex_t lock;
    pthread_cond_t work;      /* there is something to do, or to stop for */
    pthread_cond_t completed; /* a job is done, or a thread has ended */
    ddf_jobs fresh;           /* jobs with pieces (or the preparation) not yet taken */
    ddf_jobs waiting;         /* jobs with missed pieces not yet taken */
    ddf_jobs outside;         /* the same of remote shards, for the feed */
    ddf_jobs ended;           /* jobs whose last share somebody else has read, to be ended by a worker */
    int direct;           /* past the page cache: nothing is ready */
    size_t ready_threads; /* may copy at once */
    size_t helper;        /* 1 while a caller that has helped before is away: it will need a processor, too */
    size_t threads;
    size_t idle;     /* asleep and not yet called */
    size_t called;   /* called, but not yet awake */
    size_t copying;  /* at work on what is ready */
    size_t preparing;
    uint64_t submitted; /* jobs */
    size_t away;     /* in preparations that may wait for storage */
    size_t reading;  /* workers that wait for a piece */
    ddf_flow flow;   /* how many of these there may be */
    size_t sleepers; /* callers blocked in ddf_engine_wait or _stop */
    uint64_t progress;
    int stopping;
    uint64_t last_good;  /* when a read last ended well, ns */
    atomic_int hopeless; /* reads are not tried again: there is a stop, or all have failed for long */
    int notifier[2];
    atomic_int armed;
    atomic_size_t references;
    ddf_uring *ring; /* or NULL; used by its thread alone */
    ddf_ring_state ring_state;
    int ring_asleep; /* and to be woken for more pieces */
    ddf_feed *feed;  /* or NULL; borrowed, gone before it is freed */
};

/* Give up a reference; without the lock. */
void ddf_work_unref(ddf_engine *engine);

/* Threads that take any work. */
static inline size_t ddf_work_workers(const ddf_engine *engine) {
    return engine->threads - (engine->ring_state >= RING_RUNS);
}

/* Whether a thread that copies may be called for a fresh job. Where not, one of those who copy comes back for it. */
static inline int ddf_work_may_copy(const ddf_engine *engine) {
    return engine->fresh.head != NULL && engine->copying + engine->helper < engine->ready_threads;
}

/* Have threads at work for `n` more shares. Returns 0, or -errno if one could not be started. */
int ddf_work_call_threads(ddf_engine *engine, size_t n);

/* The calling thread, which ddf_work started, ends. The lock is given up for good. */
void ddf_work_end_thread(ddf_engine *engine);

/* Run the preparation of a job as a share of its own. */
void ddf_work_prepare(ddf_engine *engine, ddf_job *job);

/* Do one thing for a job that the calling thread runs. Returns 0 where it has nothing left to do but wait. */
int ddf_work_once_for(ddf_engine *engine, ddf_job *job);

/* Do one thing that needs no waiting, for any job: a caller that waits has a processor. Returns 0 where there is none. */
int ddf_work_help(ddf_engine *engine);

/* Take the next missed piece of a job that is in `queue`: its number. The caller adds the share to job->running. */
size_t ddf_work_take_missed(ddf_jobs *queue, ddf_job *job);

/* Have threads read a piece that a ring has taken, and all that comes. Returns 0 where there are none. */
int ddf_work_leave_to_threads(ddf_engine *engine, ddf_job *job, size_t number);

/* Fill `err` for work that was given up, and return the status. */
int ddf_work_given_up(ddf_err *err);

/* End one share of a job, and the job if that was the last. */
void ddf_work_end_share(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err);

/* The same for a share that no worker has read. A job's last one goes to a worker: building tables takes time, and who
 * waits for storage is to go on with that meanwhile. */
void ddf_work_hand_in(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err);

/* End a job before its time: what nobody works on is left out. */
void ddf_work_end_early(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err);
void ddf_work_cancel(ddf_engine *engine, ddf_job *job);

#endif
