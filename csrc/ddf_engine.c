#define _GNU_SOURCE
#include "ddf_engine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "ddf_sys.h"
#include "ddf_uring.h"

/* Who waits for missed pieces: threads; the ring, whose thread starts with the first of them; the ring. */
typedef enum ring_state { RING_NONE, RING_READY, RING_RUNS } ring_state;

struct ddf_engine {
    pthread_mutex_t lock;
    pthread_cond_t work;      /* there is something to do, or to stop for */
    pthread_cond_t completed; /* a job is done, or a thread has ended */
    ddf_jobs fresh;           /* jobs with pieces (or the preparation) not yet taken */
    ddf_jobs waiting;         /* jobs with missed pieces not yet taken */
    ddf_jobs ended;           /* jobs whose last share the ring has read, to be ended by another thread */
    size_t queue_depth, ready_threads;
    size_t threads;
    size_t idle;     /* asleep and not yet called */
    size_t called;   /* called, but not yet awake */
    size_t copying;  /* at work on what is ready */
    size_t away;     /* in preparations that may wait for storage */
    size_t sleepers; /* callers blocked in ddf_engine_wait or _stop */
    uint64_t progress;
    int stopping;
    int notifier[2];
    atomic_int armed;
    atomic_size_t references;
    ddf_uring *ring; /* or NULL; used by its thread alone */
    ring_state ring_state;
    int ring_asleep; /* and to be woken for more pieces */
};

/* ---- life ---- */

static void *worker(void *arg);
static void *ring_worker(void *arg);

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
    engine->queue_depth = queue_depth < 1 ? 1 : queue_depth > 1024 ? 1024 : queue_depth;
    engine->ready_threads = ready_threads < 1 ? ddf_sys_processors() : ready_threads;
    if (io == DDF_IO_URING) {
        status = ddf_uring_new(engine->queue_depth, &engine->ring);
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
    atomic_init(&engine->references, 1);
    *out = engine;
    return DDF_OK;
}

static void unref(ddf_engine *engine) {
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

/* A detached thread that takes no signals: those belong to the program. Returns 0 or -errno. Call with the lock held. */
static int start_thread(ddf_engine *engine, void *(*run)(void *)) {
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
    int status = -pthread_create(&thread, &attributes, run, engine);
    if (status < 0) {
        engine->threads--;
        atomic_fetch_sub(&engine->references, 1);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return status;
}

/* Threads that take any work. Call with the lock held. */
static size_t workers(const ddf_engine *engine) { return engine->threads - (engine->ring_state == RING_RUNS); }

/* Have threads at work for `n` more shares. Returns 0, or -errno if one could not be started. Call with the lock held. */
static int call_threads(ddf_engine *engine, size_t n) {
    int status = 0;
    for (; n > 0 && engine->idle > 0; n--) {
        engine->idle--;
        engine->called++;
        pthread_cond_signal(&engine->work);
    }
    size_t most = engine->ring_state == RING_NONE ? engine->queue_depth : engine->ready_threads + engine->away;
    for (; n > 0 && workers(engine) < most && status == 0; n--) {
        status = start_thread(engine, worker);
    }
    return status;
}

/* Have `n` more missed pieces waited for. Call with the lock held. */
static void call_waiters(ddf_engine *engine, size_t n) {
    if (engine->ring_state == RING_READY) {
        engine->ring_state = start_thread(engine, ring_worker) < 0 ? RING_NONE : RING_RUNS;
    }
    if (engine->ring_state == RING_NONE) {
        (void)call_threads(engine, n);
    } else if (engine->ring_asleep) {
        engine->ring_asleep = 0;
        ddf_uring_wake(engine->ring);
    }
}

/* Whether a thread that copies may be called for a fresh job. Where not, one of those who copy comes back for it. */
static int may_copy(const ddf_engine *engine) {
    return engine->fresh.head != NULL && engine->copying < engine->ready_threads;
}

/* ---- a job's way: fresh -> (missed pieces: waiting) -> finished ---- */

/* The calling thread ran the job's last share: finish it outside the lock, then tell. Call with the lock held. */
static void complete(ddf_engine *engine, ddf_job *job) {
    job->finishing = 1; /* from here on it is too late to cancel */
    pthread_mutex_unlock(&engine->lock);
    job->finish(job);
    pthread_mutex_lock(&engine->lock);
    atomic_store(&job->done, 1);
    if (engine->sleepers > 0) {
        pthread_cond_broadcast(&engine->completed);
    }
    pthread_mutex_unlock(&engine->lock);
    if (atomic_exchange(&engine->armed, 0)) {
        ddf_sys_notifier_raise(engine->notifier);
    }
    job->drop(job);
    pthread_mutex_lock(&engine->lock);
}

static int given_up(ddf_err *err) { return ddf_fail(err, DDF_E_CANCELLED, "the read was given up", 0, 0); }

/* End one share of a job. Call with the lock held; the job may be gone afterwards. */
static void end_share(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    if (status < 0) {
        ddf_job_fail(job, status, err);
    }
    if (job->status < 0) { /* nothing that is left to read matters any more */
        if (ddf_job_has_work_left(job) && !ddf_jobs_unlink(&engine->fresh, job)) {
            (void)ddf_jobs_unlink(&engine->waiting, job);
        }
        job->prepared = 1;
        job->taken = job->n_pieces;
        job->missed_taken = job->n_missed;
    }
    if (--job->running == 0 && !ddf_job_has_work_left(job)) {
        complete(engine, job);
    }
}

/* Hand a job's missed pieces to those who may wait. Call with the lock held. */
static void queue_missed(ddf_engine *engine, ddf_job *job) {
    ddf_jobs_push(&engine->waiting, job);
    call_waiters(engine, job->n_missed - job->missed_taken);
}

/* Note pieces that have to be waited for. Call with the lock held. */
static void add_missed(ddf_engine *engine, ddf_job *job, const uint32_t *missed, size_t n) {
    if (n == 0 || job->status < 0) {
        return;
    }
    int queued = job->missed_taken < job->n_missed;
    for (size_t i = 0; i < n; i++) {
        job->missed[job->n_missed++] = missed[i];
        job->waited += job->pieces[missed[i]].length;
    }
    if (job->taken < job->n_pieces) {
        return; /* still in `fresh`: it moves over when its last fresh share is taken */
    }
    if (queued) {
        call_waiters(engine, n);
    } else {
        queue_missed(engine, job);
    }
}

/* A file that is never ready: all that was not tried yet has to be waited for. Call with the lock held. */
static void miss_untried(ddf_engine *engine, ddf_job *job) {
    (void)ddf_jobs_unlink(&engine->fresh, job);
    for (; job->taken < job->n_pieces; job->taken++) {
        job->waited += job->pieces[job->taken].length;
        job->missed[job->n_missed++] = (uint32_t)job->taken;
    }
    queue_missed(engine, job);
}

/* How many threads beside the calling one pay for themselves. */
static size_t helpers_for(const ddf_engine *engine, const ddf_job *job) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->n_pieces; i++) {
        bytes += job->pieces[i].length;
    }
    /* Small pieces are worth a thread where each takes a system call; four tell what the others are like. */
    size_t entered = 0;
    for (size_t i = 0; i < 4; i++) {
        entered += (size_t)ddf_shards_are_entered(job->shards, job->pieces[i * (job->n_pieces - 1) / 3].offset);
    }
    uint64_t shares = bytes / DDF_SHARE_BYTES + (entered > 2 ? 0 : (job->n_pieces - 1) / DDF_SHARE_PIECES);
    return shares < engine->ready_threads - 1 ? (size_t)shares : engine->ready_threads - 1;
}

/* Run the preparation as a share of its own. Lock held before and after. */
static void run_prepare(ddf_engine *engine, ddf_job *job) {
    job->running++;
    job->preparing = job->looking = 1;
    pthread_mutex_unlock(&engine->lock);
    int status = job->prepare(job, engine);
    pthread_mutex_lock(&engine->lock);
    job->preparing = job->looking = 0;
    engine->copying += (size_t)job->away;
    engine->away -= (size_t)job->away;
    job->prepared = 1;
    ddf_err err = job->err;
    if (job->cancelled || engine->stopping) {
        status = given_up(&err);
        pthread_cond_broadcast(&engine->completed); /* ddf_engine_cancel waits for the preparation */
    }
    if (status >= 0 && job->n_pieces > 0) {
        ddf_jobs_push_front(&engine->fresh, job); /* the oldest job goes first */
        if (ddf_shards_can_be_ready(job->shards)) {
            (void)call_threads(engine, helpers_for(engine, job));
        } else {
            miss_untried(engine, job);
        }
    }
    end_share(engine, job, status, &err);
}

/* Take one share of the first fresh job. Lock held before and after. */
static void run_ready_share(ddf_engine *engine, ddf_job *job) {
    uint32_t missed[DDF_SHARE_PIECES];
    ddf_share s = ddf_job_take_ready(job);
    if (job->taken == job->n_pieces) {
        (void)ddf_jobs_unlink(&engine->fresh, job);
        if (job->missed_taken < job->n_missed) {
            queue_missed(engine, job);
        }
    }
    job->running++;
    engine->copying++;
    pthread_mutex_unlock(&engine->lock);
    ddf_err err = {0};
    size_t n = 0;
    int status = ddf_job_read_ready(job, s, missed, &n, &err);
    pthread_mutex_lock(&engine->lock);
    engine->copying--;
    engine->progress += (s.last - s.first) - n;
    if (n > 0 && engine->stopping) {
        status = given_up(&err);
    }
    if (status >= 0) {
        add_missed(engine, job, missed, n);
    }
    end_share(engine, job, status, &err);
}

static void run_waiting_piece(ddf_engine *engine, ddf_job *job, size_t number) {
    const ddf_read *piece = &job->pieces[number];
    ddf_err err = {0};
    job->running++;
    if (engine->waiting.head == NULL && may_copy(engine)) {
        (void)call_threads(engine, 1); /* it was left to this thread, which is away for who knows how long */
    }
    pthread_mutex_unlock(&engine->lock);
    int status = ddf_job_read_waiting(job, piece, &err);
    pthread_mutex_lock(&engine->lock);
    engine->progress++;
    end_share(engine, job, status, &err);
}

static size_t take_missed(ddf_engine *engine, ddf_job *job) {
    size_t number = job->missed[job->missed_taken++];
    if (job->missed_taken == job->n_missed) {
        (void)ddf_jobs_unlink(&engine->waiting, job);
    }
    return number;
}

/* Do one thing that there is to do. Returns 0 if there was none. Lock held before and after. */
static int work_once(ddf_engine *engine) {
    ddf_job *job = engine->ended.head;
    if (job != NULL) {
        end_share(engine, ddf_jobs_pop(&engine->ended), DDF_OK, NULL);
        return 1;
    }
    job = engine->waiting.head;
    if (job != NULL && engine->ring_state != RING_RUNS) {
        run_waiting_piece(engine, job, take_missed(engine, job));
        return 1;
    }
    job = engine->fresh.head;
    if (job != NULL && job->prepared && !ddf_shards_can_be_ready(job->shards)) {
        miss_untried(engine, job);
        return 1;
    }
    if (!may_copy(engine)) {
        return 0;
    }
    if (!job->prepared) {
        (void)ddf_jobs_pop(&engine->fresh);
        engine->copying++;
        job->counted = 1;
        run_prepare(engine, job);
        engine->copying--;
    } else {
        run_ready_share(engine, job);
    }
    return 1;
}

/* The calling thread ends. Lock held before, given up after. */
static void end_thread(ddf_engine *engine) {
    engine->threads--;
    pthread_cond_broadcast(&engine->completed);
    pthread_mutex_unlock(&engine->lock);
    unref(engine);
}

static void *worker(void *arg) {
    ddf_engine *engine = arg;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        if (work_once(engine)) {
            continue;
        }
        engine->idle++;
        while (engine->called == 0 && !engine->stopping) {
            pthread_cond_wait(&engine->work, &engine->lock);
        }
        engine->called -= engine->called > 0;
    }
    end_thread(engine);
    return NULL;
}

/* ---- the ring's thread: takes the place of those who wait ---- */

/* Give the ring what it has room for. The files are opened outside the lock, which is held before and after. */
static void feed_ring(ddf_engine *engine) {
    while (engine->waiting.head != NULL && ddf_uring_room(engine->ring) > 0 && !engine->stopping) {
        ddf_job *job = engine->waiting.head;
        size_t number = take_missed(engine, job);
        const ddf_read *piece = &job->pieces[number];
        ddf_place place = ddf_shards_place(job->shards, piece->offset);
        ddf_file **file = &job->held[number];
        ddf_err err = {0};
        job->running++;
        pthread_mutex_unlock(&engine->lock);
        int status = ddf_shards_take(job->shards, place.shard, file, &err);
        if (status >= 0) {
            ddf_uring_read(engine->ring, ddf_file_fd(*file), job->base + piece->at, (size_t)piece->length,
                           place.position, job, number);
        }
        pthread_mutex_lock(&engine->lock);
        if (status < 0) {
            end_share(engine, job, status, &err);
        }
    }
}

/* End a share that the ring has read. The last one of a job goes to another thread: building tables takes time, and
 * the ring is to be fed meanwhile. Call with the lock held. */
static void end_ring_share(ddf_engine *engine, const ddf_uring_end *end) {
    ddf_job *job = end->owner;
    const ddf_read *piece = &job->pieces[end->number];
    ddf_place place = ddf_shards_place(job->shards, piece->offset);
    ddf_err err = {0};
    int status = end->got == -ECANCELED ? given_up(&err)
                                        : ddf_file_judge(end->got, piece->length, place.position, &err);
    err.item = place.shard;
    engine->progress++;
    if (status >= 0 && job->status >= 0 && job->running == 1 && !ddf_job_has_work_left(job) && !engine->stopping) {
        (void)call_threads(engine, 1);
        if (workers(engine) > 0) {
            ddf_jobs_push(&engine->ended, job);
            return;
        }
    }
    end_share(engine, job, status, &err);
}

/* Feed the ring and take what it has read, until there is nothing in flight after a stop: the kernel writes into the
 * jobs' memory until then. Lock held before and after. */
static void run_ring(ddf_engine *engine) {
    ddf_uring_end ends[DDF_SHARE_PIECES];
    int cancelled = 0;
    while (!engine->stopping || ddf_uring_in_flight(engine->ring) > 0) {
        if (!engine->stopping) {
            feed_ring(engine);
            engine->ring_asleep = ddf_uring_room(engine->ring) > 0;
        } else if (!cancelled) {
            cancelled = 1;
            ddf_uring_cancel(engine->ring);
        }
        pthread_mutex_unlock(&engine->lock);
        size_t n = ddf_uring_wait(engine->ring, ends, DDF_SHARE_PIECES);
        for (size_t i = 0; i < n; i++) {
            const ddf_job *job = ends[i].owner;
            ddf_shards_give(job->shards, job->held[ends[i].number]);
        }
        pthread_mutex_lock(&engine->lock);
        engine->ring_asleep = 0;
        for (size_t i = 0; i < n; i++) {
            end_ring_share(engine, &ends[i]);
        }
    }
}

static void *ring_worker(void *arg) {
    ddf_engine *engine = arg;
    int status = ddf_uring_start(engine->ring);
    pthread_mutex_lock(&engine->lock);
    if (status >= 0) {
        run_ring(engine);
    }
    engine->ring_state = RING_NONE;
    if (engine->waiting.head != NULL) { /* the ring did not start */
        (void)call_threads(engine, engine->queue_depth);
    }
    end_thread(engine);
    return NULL;
}

/* ---- what callers do ---- */

/* End a job before its time: what no thread works on is left out. Lock held before and after. */
static void end_early(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    job->cancelled = 1;
    job->running++;
    end_share(engine, job, status, err);
}

static void cancel_locked(ddf_engine *engine, ddf_job *job) {
    ddf_err err = {0};
    int status = given_up(&err);
    end_early(engine, job, status, &err);
}

void ddf_engine_submit(ddf_engine *engine, ddf_job *job) {
    ddf_job_init(job);
    pthread_mutex_lock(&engine->lock);
    ddf_jobs_push(&engine->fresh, job);
    int status = 0;
    if (engine->stopping) {
        cancel_locked(engine, job);
    } else if (engine->copying < engine->ready_threads || workers(engine) == 0) {
        status = call_threads(engine, 1);
    }
    if (status < 0 && workers(engine) == 0) { /* fail rather than hang */
        ddf_err err = {status, "no thread can be started", 0, 0};
        end_early(engine, job, status, &err);
    }
    pthread_mutex_unlock(&engine->lock);
}

void ddf_engine_cancel(ddf_engine *engine, ddf_job *job) {
    pthread_mutex_lock(&engine->lock);
    if (job->preparing) {
        job->cancelled = 1;
    } else if (!job->finishing && !job->cancelled) {
        cancel_locked(engine, job);
    }
    while (job->looking) {
        pthread_cond_wait(&engine->completed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
}

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
        (void)call_threads(engine, may_copy(engine) != 0);
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
    engine->sleepers++;
    int status = 0;
    while (!ddf_job_is_done(job) && status == 0) {
        status = pthread_cond_timedwait(&engine->completed, &engine->lock, &deadline);
    }
    engine->sleepers--;
    pthread_mutex_unlock(&engine->lock);
    return ddf_job_is_done(job) ? DDF_OK : -EAGAIN;
}

/* Do one thing for a job that the calling thread runs. Returns 0 where it has nothing left to do but wait.
 * A lone read gains nothing from a thread; without any, all is left to the caller. Lock held before and after. */
static int run_once(ddf_engine *engine, ddf_job *job) {
    size_t left = job->n_missed - job->missed_taken;
    if (job->taken < job->n_pieces && !ddf_shards_can_be_ready(job->shards)) {
        miss_untried(engine, job);
    } else if (job->taken < job->n_pieces) {
        run_ready_share(engine, job);
    } else if (left > 0 && (engine->threads == 0 || (job->n_missed == 1 && ddf_shards_can_be_ready(job->shards)))) {
        run_waiting_piece(engine, job, take_missed(engine, job));
    } else {
        return 0;
    }
    return 1;
}

int ddf_engine_run(ddf_engine *engine, ddf_job *job, int timeout_ms) {
    ddf_job_init(job);
    pthread_mutex_lock(&engine->lock);
    run_prepare(engine, job);
    while (!job->finishing && run_once(engine, job)) {
    }
    if (may_copy(engine)) {
        (void)call_threads(engine, 1); /* it may have been left to this thread */
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
    while (engine->fresh.head != NULL || engine->waiting.head != NULL) {
        ddf_job *job = engine->fresh.head != NULL ? engine->fresh.head : engine->waiting.head;
        cancel_locked(engine, job);
    }
    while (engine->ended.head != NULL) {
        end_share(engine, ddf_jobs_pop(&engine->ended), DDF_OK, NULL);
    }
    if (engine->ring_state == RING_RUNS) {
        ddf_uring_wake(engine->ring);
    }
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
    unref(engine);
}
