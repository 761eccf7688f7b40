#define _GNU_SOURCE
#include "ddf_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ddf_sys.h"
#include "ddf_work.h"

/* ---- life ---- */

int ddf_engine_new(size_t queue_depth, size_t ready_threads, ddf_io io, ddf_engine **out) {
    ddf_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return -ENOMEM;
    }
    int status = ddf_sys_notifier_open(engine->notifier);
    if (status < 0) {
        free(engine);
        return status;
    }
    ddf_flow_init(&engine->flow, queue_depth > 1024 ? 1024 : queue_depth);
    engine->ready_threads = ready_threads < 1 ? ddf_sys_processors() : ready_threads;
    engine->direct = io == DDF_IO_DIRECT;
    if (io == DDF_IO_URING) {
        status = ddf_uring_new(engine->flow.limit, &engine->ring);
        engine->ring_state = RING_READY;
    }
    if (status < 0) {
        ddf_sys_notifier_close(engine->notifier);
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
    atomic_init(&engine->armed, 0);
    atomic_init(&engine->hopeless, 0);
    atomic_init(&engine->references, 1);
    *out = engine;
    return DDF_OK;
}

void ddf_work_unref(ddf_engine *engine) {
    if (atomic_fetch_sub(&engine->references, 1) != 1) {
        return;
    }
    ddf_uring_free(engine->ring);
    ddf_sys_notifier_close(engine->notifier);
    pthread_cond_destroy(&engine->work);
    pthread_cond_destroy(&engine->completed);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* ---- what callers do ---- */

void ddf_engine_submit(ddf_engine *engine, ddf_job *job) {
    ddf_job_init(job);
    pthread_mutex_lock(&engine->lock);
    job->number = ++engine->submitted;
    ddf_jobs_push(&engine->fresh, job);
    int status = 0;
    if (engine->stopping) {
        ddf_work_cancel(engine, job);
    } else if (ddf_work_may_copy(engine) || ddf_work_workers(engine) == 0) {
        status = ddf_work_call_threads(engine, 1);
    }
    if (status < 0 && ddf_work_workers(engine) == 0) { /* fail rather than hang */
        ddf_err err = {status, "no thread can be started", 0, 0};
        ddf_work_end_early(engine, job, status, &err);
    }
    pthread_mutex_unlock(&engine->lock);
}

void ddf_engine_cancel(ddf_engine *engine, ddf_job *job) {
    pthread_mutex_lock(&engine->lock);
    if (job->preparing) {
        job->cancelled = 1;
    } else if (!job->finishing && !job->cancelled) {
        ddf_work_cancel(engine, job);
    }
    while (job->looking) {
        pthread_cond_wait(&engine->completed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
}

int ddf_engine_is_direct(const ddf_engine *engine) { return engine->direct; }

void ddf_engine_let_go(ddf_engine *engine, ddf_job *job, int may_wait) {
    pthread_mutex_lock(&engine->lock);
    job->looking = 0;
    if (job->cancelled) {
        pthread_cond_broadcast(&engine->completed);
    }
    if (may_wait && job->counted) {
        job->away = 1;
        engine->away++;
        engine->copying--;
        (void)ddf_work_call_threads(engine, ddf_work_may_copy(engine) != 0);
    }
    pthread_mutex_unlock(&engine->lock);
}

int ddf_job_is_done(const ddf_job *job) { return atomic_load(&job->done); }

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

int ddf_engine_wait(ddf_engine *engine, ddf_job *job, int timeout_ms) {
    if (ddf_job_is_done(job)) {
        return DDF_OK;
    }
    struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&engine->lock);
    while (!ddf_job_is_done(job) && ddf_work_help(engine)) {
    }
    if (ddf_work_may_copy(engine)) {
        (void)ddf_work_call_threads(engine, 1);
    }
    engine->sleepers++;
    int status = 0;
    while (!ddf_job_is_done(job) && status == 0) {
        status = pthread_cond_timedwait(&engine->completed, &engine->lock, &deadline);
    }
    engine->sleepers--;
    pthread_mutex_unlock(&engine->lock);
    return ddf_job_is_done(job) ? DDF_OK : -EAGAIN;
}

int ddf_engine_run(ddf_engine *engine, ddf_job *job, int timeout_ms) {
    ddf_job_init(job);
    pthread_mutex_lock(&engine->lock);
    job->number = 0; /* the caller waits, so it goes first */
    ddf_work_prepare(engine, job);
    while (!job->finishing && ddf_work_once_for(engine, job)) {
    }
    if (ddf_work_may_copy(engine)) {
        (void)ddf_work_call_threads(engine, 1); /* it may have been left to this thread */
    }
    pthread_mutex_unlock(&engine->lock);
    return ddf_engine_wait(engine, job, timeout_ms);
}

int ddf_engine_fd(const ddf_engine *engine) { return engine->notifier[0]; }

void ddf_engine_arm(ddf_engine *engine) { atomic_store(&engine->armed, 1); }

void ddf_engine_clear(ddf_engine *engine) { ddf_sys_notifier_clear(engine->notifier); }

uint64_t ddf_engine_progress(ddf_engine *engine) {
    pthread_mutex_lock(&engine->lock);
    uint64_t progress = engine->progress;
    pthread_mutex_unlock(&engine->lock);
    return progress;
}

size_t ddf_engine_threads(ddf_engine *engine) {
    pthread_mutex_lock(&engine->lock);
    size_t threads = engine->threads;
    pthread_mutex_unlock(&engine->lock);
    return threads;
}

static void stop_locked(ddf_engine *engine) {
    engine->stopping = 1;
    atomic_store(&engine->hopeless, 1);
    ddf_jobs *queues[] = {&engine->fresh, &engine->waiting, &engine->outside};
    for (size_t i = 0; i < 3; i++) {
        while (queues[i]->head != NULL) {
            ddf_work_cancel(engine, queues[i]->head);
        }
    }
    while (engine->ended.head != NULL) {
        ddf_work_end_share(engine, ddf_jobs_pop(&engine->ended), DDF_OK, NULL);
    }
    if (engine->ring_state >= RING_RUNS) {
        ddf_uring_wake(engine->ring);
    }
    ddf_feed_call(engine->feed); /* what it has taken is given up */
    pthread_cond_broadcast(&engine->work);
}

int ddf_engine_stop(ddf_engine *engine, int timeout_ms) {
    struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&engine->lock);
    stop_locked(engine);
    engine->sleepers++;
    int status = 0;
    while (engine->threads > 0 && status == 0) {
        status = pthread_cond_timedwait(&engine->completed, &engine->lock, &deadline);
    }
    engine->sleepers--;
    size_t left = engine->threads;
    pthread_mutex_unlock(&engine->lock);
    return left == 0 ? DDF_OK : -EAGAIN;
}

void ddf_engine_release(ddf_engine *engine) {
    if (engine == NULL) {
        return;
    }
    pthread_mutex_lock(&engine->lock);
    stop_locked(engine);
    pthread_mutex_unlock(&engine->lock);
    ddf_work_unref(engine);
}
