#define _GNU_SOURCE
#include "ddf_engine.h"

#include <errno.h>
#include <time.h>

#include "ddf_core.h"
#include "ddf_ring.h"
#include "ddf_worker.h"

int ddf_engine_new(size_t queue_depth, size_t ready_threads, ddf_io io, ddf_engine **out) {
    ddf_engine *engine;
    int status = ddf_core_new(&engine);
    if (status < 0) {
        return status;
    }
    engine->run_worker = ddf_worker_run;
    engine->run_ring = ddf_ring_run;
    ddf_limit_init(&engine->limit, queue_depth > 1024 ? 1024 : queue_depth);
    engine->ready_threads = ready_threads < 1 ? ddf_sys_processors() : ready_threads;
    engine->direct = io == DDF_IO_DIRECT;
    if (io == DDF_IO_URING) {
        status = ddf_uring_new(engine->limit.reads, &engine->ring);
        engine->ring_state = RING_READY;
    }
    if (status < 0) {
        ddf_core_unref(engine);
        return status;
    }
    *out = engine;
    return DDF_OK;
}

void ddf_engine_submit(ddf_engine *engine, ddf_job *job) {
    ddf_job_init(job);
    ddf_core_lock(engine);
    job->number = ++engine->submitted;
    ddf_job_move(job, DDF_JOB_QUEUED);
    ddf_jobs_push(&engine->fresh, job);
    int status = 0;
    if (engine->stopping) {
        ddf_core_cancel(engine, job);
    } else if (ddf_core_may_copy(engine) || ddf_core_workers(engine) == 0) {
        status = ddf_core_call_threads(engine, 1);
    }
    if (status < 0 && ddf_core_workers(engine) == 0) { /* fail rather than hang */
        ddf_err err = {status, "no thread can be started", 0, 0};
        ddf_core_end_early(engine, job, status, &err);
    }
    ddf_core_unlock(engine);
}

void ddf_engine_cancel(ddf_engine *engine, ddf_job *job) {
    ddf_core_lock(engine);
    if (ddf_job_is_in_preparation(job)) {
        job->cancelled = 1;
    } else if (ddf_job_get_state(job) < DDF_JOB_FINISHING && !job->cancelled) {
        ddf_core_cancel(engine, job);
    }
    while (ddf_job_get_state(job) == DDF_JOB_PREPARING) {
        ddf_core_check(engine);
        pthread_cond_wait(&engine->completed, &engine->lock);
    }
    ddf_core_unlock(engine);
}

int ddf_engine_is_direct(const ddf_engine *engine) { return engine->direct; }

void ddf_engine_detach(ddf_engine *engine, ddf_job *job, int may_wait) {
    ddf_core_lock(engine);
    ddf_job_move(job, DDF_JOB_DETACHED);
    if (job->cancelled) {
        pthread_cond_broadcast(&engine->completed);
    }
    if (may_wait && job->preparer->state == DDF_THREAD_COPYING) {
        ddf_core_move(engine, job->preparer, DDF_THREAD_AWAY);
        (void)ddf_core_call_threads(engine, ddf_core_may_copy(engine) != 0);
    }
    ddf_core_unlock(engine);
}

static struct timespec deadline_after(int timeout_ms) {
    struct timespec t;
#ifdef __linux__
    clock_gettime(CLOCK_MONOTONIC, &t);
#else
    clock_gettime(CLOCK_REALTIME, &t);
#endif
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000L;
    }
    return t;
}

/* Sleep until the job is done, or with NULL until no thread is left, or until the deadline. With the lock. */
static void sleep_until(ddf_engine *engine, ddf_thread *self, const ddf_job *job, const struct timespec *deadline) {
    int status = 0;
    ddf_core_move(engine, self, DDF_THREAD_IDLE);
    ddf_core_check(engine);
    while (status == 0 && (job == NULL ? engine->threads > 0 : !ddf_job_is_done(job))) {
        status = pthread_cond_timedwait(&engine->completed, &engine->lock, deadline);
    }
    ddf_core_move(engine, self, DDF_THREAD_CHOOSING);
}

int ddf_engine_wait(ddf_engine *engine, ddf_job *job, int timeout_ms) {
    if (ddf_job_is_done(job)) {
        return DDF_OK;
    }
    struct timespec deadline = deadline_after(timeout_ms);
    ddf_thread self = {DDF_CALLER, DDF_THREAD_NONE};
    ddf_core_lock(engine);
    ddf_core_move(engine, &self, DDF_THREAD_CHOOSING);
    while (!ddf_job_is_done(job) && ddf_worker_help(engine, &self)) {
    }
    if (ddf_core_may_copy(engine)) {
        (void)ddf_core_call_threads(engine, 1);
    }
    sleep_until(engine, &self, job, &deadline);
    ddf_core_move(engine, &self, DDF_THREAD_NONE);
    ddf_core_unlock(engine);
    return ddf_job_is_done(job) ? DDF_OK : -EAGAIN;
}

int ddf_engine_run(ddf_engine *engine, ddf_job *job, int timeout_ms) {
    ddf_thread self = {DDF_CALLER, DDF_THREAD_NONE};
    ddf_job_init(job);
    ddf_core_lock(engine);
    ddf_core_move(engine, &self, DDF_THREAD_CHOOSING);
    job->number = 0; /* the caller waits, so it goes first */
    ddf_worker_prepare(engine, &self, job);
    while (ddf_worker_step_for(engine, &self, job)) {
    }
    if (ddf_core_may_copy(engine)) {
        (void)ddf_core_call_threads(engine, 1); /* it may have been left to this thread */
    }
    ddf_core_move(engine, &self, DDF_THREAD_NONE);
    ddf_core_unlock(engine);
    return ddf_engine_wait(engine, job, timeout_ms);
}

int ddf_engine_fd(const ddf_engine *engine) { return ddf_notifier_fd(&engine->notifier); }

void ddf_engine_arm(ddf_engine *engine) { ddf_notifier_arm(&engine->notifier); }

void ddf_engine_clear(ddf_engine *engine) { ddf_notifier_clear(&engine->notifier); }

uint64_t ddf_engine_progress(ddf_engine *engine) {
    ddf_core_lock(engine);
    uint64_t progress = engine->progress;
    ddf_core_unlock(engine);
    return progress;
}

size_t ddf_engine_threads(ddf_engine *engine) {
    ddf_core_lock(engine);
    size_t threads = engine->threads;
    ddf_core_unlock(engine);
    return threads;
}

static void stop_locked(ddf_engine *engine) {
    engine->stopping = 1;
    atomic_store(&engine->no_retry, 1);
    ddf_jobs *queues[] = {&engine->fresh, &engine->waiting, &engine->remote};
    for (size_t i = 0; i < 3; i++) {
        while (queues[i]->head != NULL) {
            ddf_core_cancel(engine, queues[i]->head);
        }
    }
    while (engine->ended.head != NULL) {
        ddf_core_end_share(engine, ddf_jobs_pop(&engine->ended), DDF_OK, NULL);
    }
    if (engine->ring_state >= RING_RUNS) {
        ddf_uring_wake(engine->ring);
    }
    ddf_core_call_remote_reader(engine); /* the pieces that it has acquired are cancelled */
    pthread_cond_broadcast(&engine->work);
}

int ddf_engine_stop(ddf_engine *engine, int timeout_ms) {
    struct timespec deadline = deadline_after(timeout_ms);
    ddf_thread self = {DDF_CALLER, DDF_THREAD_NONE};
    ddf_core_lock(engine);
    ddf_core_move(engine, &self, DDF_THREAD_CHOOSING);
    stop_locked(engine);
    sleep_until(engine, &self, NULL, &deadline);
    ddf_core_move(engine, &self, DDF_THREAD_NONE);
    size_t left = engine->threads;
    ddf_core_unlock(engine);
    return left == 0 ? DDF_OK : -EAGAIN;
}

void ddf_engine_release(ddf_engine *engine) {
    if (engine == NULL) {
        return;
    }
    ddf_core_lock(engine);
    stop_locked(engine);
    ddf_core_unlock(engine);
    ddf_core_unref(engine);
}
