#define _GNU_SOURCE
#include "ddf_core.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* ---- life ---- */

int ddf_core_new(ddf_engine **out) {
    ddf_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return -ENOMEM;
    }
    int status = ddf_notifier_open(&engine->notifier);
    if (status < 0) {
        free(engine);
        return status;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifdef __linux__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->work, NULL);
    pthread_cond_init(&engine->completed, &attributes);
    pthread_condattr_destroy(&attributes);
    atomic_init(&engine->no_retry, 0);
    atomic_init(&engine->references, 1);
    *out = engine;
    return DDF_OK;
}

void ddf_core_unref(ddf_engine *engine) {
    if (atomic_fetch_sub(&engine->references, 1) != 1) {
        return;
    }
    ddf_uring_free(engine->ring);
    ddf_notifier_close(&engine->notifier);
    pthread_cond_destroy(&engine->work);
    pthread_cond_destroy(&engine->completed);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* ---- checks ---- */

#ifdef DDF_CHECKS
static void check_list(const ddf_jobs *jobs, ddf_job_state one, ddf_job_state other) {
    const ddf_job *last = NULL;
    for (const ddf_job *job = jobs->head; job != NULL; last = job, job = job->next) {
        ddf_job_state state = ddf_job_get_state(job);
        DDF_ASSERT(state == one || state == other);
        ddf_job_check(job);
    }
    DDF_ASSERT(jobs->tail == last);
}

static void check_threads(const ddf_engine *engine) {
    size_t workers = 0;
    for (size_t state = DDF_THREAD_NONE + 1; state < DDF_THREAD_STATES; state++) {
        workers += engine->count[DDF_WORKER][state];
    }
    DDF_ASSERT(workers == engine->threads);
    DDF_ASSERT(engine->count[DDF_WORKER][DDF_THREAD_RING] == (engine->ring_state >= RING_RUNS));
    DDF_ASSERT(engine->ring != NULL || engine->ring_state == RING_NONE);
    DDF_ASSERT(engine->reserved <= 1);
    const size_t *callers = engine->count[DDF_CALLER];
    DDF_ASSERT(engine->count[DDF_WORKER][DDF_THREAD_AWAY] + callers[DDF_THREAD_AWAY] <= engine->preparing);
    DDF_ASSERT(callers[DDF_THREAD_STARTING] + callers[DDF_THREAD_CALLED] + callers[DDF_THREAD_FINISHING] == 0);
}

void ddf_core_check(const ddf_engine *engine) {
    check_list(&engine->fresh, DDF_JOB_QUEUED, DDF_JOB_READY);
    check_list(&engine->waiting, DDF_JOB_WAITING, DDF_JOB_WAITING);
    check_list(&engine->remote, DDF_JOB_REMOTE, DDF_JOB_REMOTE);
    check_list(&engine->ended, DDF_JOB_READ, DDF_JOB_READ);
    for (const ddf_job *job = engine->waiting.head; job != NULL && job->next != NULL; job = job->next) {
        DDF_ASSERT(job->number <= job->next->number);
    }
    check_threads(engine);
}
#endif

/* ---- threads ---- */

#define TO(state) (1u << DDF_THREAD_##state)

/* All transitions of threads, by the state that they leave. */
static const uint16_t TRANSITIONS[DDF_THREAD_STATES] = {
    [DDF_THREAD_NONE] = TO(STARTING) | TO(RING) /* who starts the thread */
                        | TO(CHOOSING),         /* a caller that begins to work for the engine, or to wait */
    [DDF_THREAD_STARTING] = TO(CHOOSING)        /* the new thread */
                            | TO(NONE),         /* who could not start it */
    [DDF_THREAD_CHOOSING] = TO(IDLE)            /* there is nothing to do; or a caller begins to wait */
                            | TO(COPYING)       /* it takes a job, or a share of ready pieces */
                            | TO(READING)       /* it takes a missed piece */
                            | TO(FINISHING)     /* it takes a job that is DDF_JOB_READ */
                            | TO(NONE),         /* it ends, or it is a caller that leaves */
    [DDF_THREAD_IDLE] = TO(CALLED)              /* who has work for one more thread: the sleeper's count */
                        | TO(CHOOSING),         /* the sleeper: there is a stop; or a caller that waits no longer */
    [DDF_THREAD_CALLED] = TO(CHOOSING),         /* the sleeper, awake */
    [DDF_THREAD_COPYING] = TO(AWAY)             /* `prepare`, by ddf_engine_detach */
                           | TO(CHOOSING),      /* the share has ended */
    [DDF_THREAD_AWAY] = TO(COPYING),            /* the preparation is over */
    [DDF_THREAD_READING] = TO(CHOOSING),        /* the share has ended */
    [DDF_THREAD_FINISHING] = TO(CHOOSING),      /* the job is done */
    [DDF_THREAD_RING] = TO(NONE),               /* the ring's thread ends, or could not be started */
};

/* Move the count of one thread. */
static void move_count(ddf_engine *engine, ddf_thread_kind kind, ddf_thread_state from, ddf_thread_state to) {
    size_t *count = engine->count[kind];
    DDF_ASSERT((TRANSITIONS[from] >> to & 1u) != 0);
    DDF_ASSERT(from == DDF_THREAD_NONE || count[from] > 0);
    count[from]--; /* that of DDF_THREAD_NONE is not looked at */
    count[to]++;
}

void ddf_core_move(ddf_engine *engine, ddf_thread *thread, ddf_thread_state to) {
    move_count(engine, thread->kind, thread->state, to);
    thread->state = to;
}

/* Start a detached thread that blocks all signals: those belong to the program. Its first state is `state`. Returns 0 or -errno. */
static int start_thread(ddf_engine *engine, void *(*run)(void *), ddf_thread_state state) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, (size_t)512 << 10);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_fetch_add(&engine->references, 1);
    engine->threads++;
    move_count(engine, DDF_WORKER, DDF_THREAD_NONE, state);
    int status = -pthread_create(&thread, &attributes, run, engine);
    if (status < 0) {
        engine->threads--;
        move_count(engine, DDF_WORKER, state, DDF_THREAD_NONE);
        atomic_fetch_sub(&engine->references, 1);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return status;
}

/* Whether threads read the missed pieces of files. */
static int threads_wait(const ddf_engine *engine) {
    return engine->ring_state == RING_NONE || engine->ring_state == RING_ENDS;
}

int ddf_core_call_threads(ddf_engine *engine, size_t n) {
    int status = 0;
    for (; n > 0 && engine->count[DDF_WORKER][DDF_THREAD_IDLE] > 0; n--) {
        move_count(engine, DDF_WORKER, DDF_THREAD_IDLE, DDF_THREAD_CALLED);
        pthread_cond_signal(&engine->work);
    }
    size_t most = engine->ready_threads + engine->count[DDF_WORKER][DDF_THREAD_AWAY] +
                  engine->count[DDF_CALLER][DDF_THREAD_AWAY];
    if (threads_wait(engine) && engine->remote_reader == NULL) {
        most = engine->limit.reads;
    }
    for (; n > 0 && ddf_core_workers(engine) < most && status == 0; n--) {
        status = start_thread(engine, engine->run_worker, DDF_THREAD_STARTING);
    }
    return status;
}

/* If the system reads ahead, threads only copy: more of them than processors would evict data from the caches. */
size_t ddf_core_waiters_for(const ddf_engine *engine, const ddf_job *job) {
    int is_copied = job->access == DDF_DENSE && engine->ready_threads < engine->limit.reads;
    return is_copied ? engine->ready_threads : engine->limit.reads;
}

void ddf_core_call_waiters(ddf_engine *engine, const ddf_job *job, size_t n) {
    if (engine->ring_state == RING_READY) {
        engine->ring_state = start_thread(engine, engine->run_ring, DDF_THREAD_RING) < 0 ? RING_NONE : RING_RUNS;
    }
    if (threads_wait(engine)) {
        size_t most = ddf_core_waiters_for(engine, job), now = ddf_core_reading(engine);
        size_t room = most > now ? most - now : 0;
        (void)ddf_core_call_threads(engine, n < room ? n : room);
    } else if (engine->ring_asleep) {
        engine->ring_asleep = 0;
        ddf_uring_wake(engine->ring);
    }
}

void ddf_core_end_thread(ddf_engine *engine, ddf_thread *thread) {
    ddf_core_move(engine, thread, DDF_THREAD_NONE);
    engine->threads--;
    pthread_cond_broadcast(&engine->completed);
    ddf_core_unlock(engine);
    ddf_core_unref(engine);
}

/* ---- steps of a job ---- */

/* The calling thread has ended the job's last share: finish the job without the lock, then notify. */
static void complete(ddf_engine *engine, ddf_job *job) {
    ddf_job_move(job, DDF_JOB_FINISHING);
    ddf_core_unlock(engine);
    job->finish(job);
    ddf_core_lock(engine);
    ddf_job_move(job, DDF_JOB_DONE);
    if (engine->count[DDF_CALLER][DDF_THREAD_IDLE] > 0) {
        pthread_cond_broadcast(&engine->completed);
    }
    ddf_core_unlock(engine);
    ddf_notifier_raise(&engine->notifier);
    job->drop(job);
    ddf_core_lock(engine);
}

int ddf_core_cancelled(ddf_err *err) { return ddf_fail(err, DDF_E_CANCELLED, "the read was cancelled", 0, 0); }

/* Leave out what is left of a job that has failed: nothing of it matters any more. */
static void skip_rest(ddf_engine *engine, ddf_job *job) {
    switch (ddf_job_get_state(job)) {
    case DDF_JOB_QUEUED:
    case DDF_JOB_READY:
        (void)ddf_jobs_unlink(&engine->fresh, job);
        break;
    case DDF_JOB_WAITING:
        (void)ddf_jobs_unlink(&engine->waiting, job);
        break;
    case DDF_JOB_REMOTE:
        (void)ddf_jobs_unlink(&engine->remote, job);
        break;
    default:
        return; /* all is taken already */
    }
    ddf_job_skip_rest(job);
}

static int is_all_taken(const ddf_job *job) {
    ddf_job_state state = ddf_job_get_state(job);
    return state == DDF_JOB_DRAINING || state == DDF_JOB_READ;
}

void ddf_core_end_share(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    if (status < 0) {
        ddf_job_fail(job, status, err);
    }
    if (DDF_UNLIKELY(job->status < 0)) {
        skip_rest(engine, job);
    }
    if (--job->running == 0 && is_all_taken(job)) {
        complete(engine, job);
    }
}

void ddf_core_end_external_share(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    engine->progress++;
    if (status >= 0 && job->status >= 0 && job->running == 1 && ddf_job_get_state(job) == DDF_JOB_DRAINING &&
        !engine->stopping) {
        (void)ddf_core_call_threads(engine, 1);
        if (ddf_core_workers(engine) > 0) {
            ddf_job_move(job, DDF_JOB_READ);
            ddf_jobs_push(&engine->ended, job);
            return;
        }
    }
    ddf_core_end_share(engine, job, status, err);
}

void ddf_core_end_early(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    job->cancelled = 1;
    job->running++;
    ddf_core_end_share(engine, job, status, err);
    ddf_core_call_remote_reader(engine); /* it may have acquired pieces of the job */
}

void ddf_core_cancel(ddf_engine *engine, ddf_job *job) {
    ddf_err err = {0};
    int status = ddf_core_cancelled(&err);
    ddf_core_end_early(engine, job, status, &err);
}

/* Leave a job's missed pieces to the remote reader. Where there is none, the job fails. */
static void queue_remote(ddf_engine *engine, ddf_job *job) {
    ddf_job_move(job, DDF_JOB_REMOTE);
    ddf_jobs_push(&engine->remote, job);
    ddf_core_call_remote_reader(engine);
    if (engine->remote_reader == NULL) {
        ddf_err err = {-ENOTSUP, "the engine has no reader of remote data", 0, 0};
        ddf_core_end_early(engine, job, -ENOTSUP, &err);
    }
}

void ddf_core_queue_missed(ddf_engine *engine, ddf_job *job) {
    if (ddf_shards_are_remote(job->shards)) {
        queue_remote(engine, job);
        return;
    }
    ddf_job_move(job, DDF_JOB_WAITING);
    ddf_jobs_insert(&engine->waiting, job);
    ddf_core_call_waiters(engine, job, job->n_missed - job->missed_taken);
}

/* Dense reads wait for older ones: if reads are out of order, the system reads ahead in small steps. */
int ddf_core_can_be_ready(const ddf_engine *engine, const ddf_job *job) {
    const ddf_job *first = engine->waiting.head;
    int in_line = job->access == DDF_DENSE && first != NULL && first->number < job->number;
    return !engine->direct && !in_line && ddf_shards_can_be_ready(job->shards);
}

void ddf_core_miss_untried(ddf_engine *engine, ddf_job *job) {
    (void)ddf_jobs_unlink(&engine->fresh, job);
    for (; job->taken < job->n_pieces; job->taken++) {
        job->waited += job->pieces[job->taken].length;
        job->missed[job->n_missed++] = (uint32_t)job->taken;
    }
    ddf_core_queue_missed(engine, job);
}

/* The job's last missed piece: it leaves its queue. */
static size_t take_last_missed(ddf_jobs *queue, ddf_job *job) {
    job->missed_taken = job->n_missed;
    (void)ddf_jobs_unlink(queue, job);
    ddf_job_move(job, DDF_JOB_DRAINING);
    return job->missed[job->n_missed - 1];
}

size_t ddf_core_take_missed(ddf_jobs *queue, ddf_job *job) {
    size_t next = job->missed_taken + 1;
    if (DDF_UNLIKELY(next == job->n_missed)) {
        return take_last_missed(queue, job);
    }
    job->missed_taken = next;
    return job->missed[next - 1];
}
