#define _GNU_SOURCE
#include "ddf_work.h"

#include <errno.h>
#include <signal.h>

#include "ddf_retry.h"
#include "ddf_ring.h"
#include "ddf_sys.h"

static void *worker(void *arg);

/* ---- threads ---- */

/* A detached thread that takes no signals: those belong to the program. Returns 0 or -errno. */
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

/* Whether threads read what is missed of files here. */
static int threads_wait(const ddf_engine *engine) {
    return engine->ring_state == RING_NONE || engine->ring_state == RING_ENDS;
}

int ddf_work_call_threads(ddf_engine *engine, size_t n) {
    int status = 0;
    for (; n > 0 && engine->idle > 0; n--) {
        engine->idle--;
        engine->called++;
        pthread_cond_signal(&engine->work);
    }
    size_t most = engine->ready_threads + engine->away;
    if (threads_wait(engine) && engine->feed == NULL) {
        most = engine->flow.limit;
    }
    for (; n > 0 && ddf_work_workers(engine) < most && status == 0; n--) {
        status = start_thread(engine, worker);
    }
    return status;
}

/* How many threads may wait for a job's missed pieces. Where the system reads ahead, what is left to do is to copy: more
 * threads than processors would only push what has been read out of their caches. */
static size_t waiters_for(const ddf_engine *engine, const ddf_job *job) {
    int is_copied = job->access == DDF_DENSE && engine->ready_threads < engine->flow.limit;
    return is_copied ? engine->ready_threads : engine->flow.limit;
}

/* Have `n` more missed pieces of a job waited for. */
static void call_waiters(ddf_engine *engine, const ddf_job *job, size_t n) {
    if (engine->ring_state == RING_READY) {
        engine->ring_state = start_thread(engine, ddf_ring_run) < 0 ? RING_NONE : RING_RUNS;
    }
    if (threads_wait(engine)) {
        size_t most = waiters_for(engine, job), room = most > engine->reading ? most - engine->reading : 0;
        (void)ddf_work_call_threads(engine, n < room ? n : room);
    } else if (engine->ring_asleep) {
        engine->ring_asleep = 0;
        ddf_uring_wake(engine->ring);
    }
}

/* ---- a job's way: fresh -> (missed pieces: waiting or outside) -> (ended) -> finished ---- */

/* The calling thread ran the job's last share: finish it outside the lock, then tell. */
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

int ddf_work_given_up(ddf_err *err) { return ddf_fail(err, DDF_E_CANCELLED, "the read was given up", 0, 0); }

void ddf_work_end_share(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    if (status < 0) {
        ddf_job_fail(job, status, err);
    }
    if (job->status < 0) { /* nothing that is left to read matters any more */
        if (ddf_job_has_work_left(job) && !ddf_jobs_unlink(&engine->fresh, job) &&
            !ddf_jobs_unlink(&engine->waiting, job)) {
            (void)ddf_jobs_unlink(&engine->outside, job);
        }
        job->prepared = 1;
        job->taken = job->n_pieces;
        job->missed_taken = job->n_missed;
    }
    if (--job->running == 0 && !ddf_job_has_work_left(job)) {
        complete(engine, job);
    }
}

void ddf_work_hand_in(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    engine->progress++;
    if (status >= 0 && job->status >= 0 && job->running == 1 && !ddf_job_has_work_left(job) && !engine->stopping) {
        (void)ddf_work_call_threads(engine, 1);
        if (ddf_work_workers(engine) > 0) {
            ddf_jobs_push(&engine->ended, job);
            return;
        }
    }
    ddf_work_end_share(engine, job, status, err);
}

void ddf_work_end_early(ddf_engine *engine, ddf_job *job, int status, const ddf_err *err) {
    job->cancelled = 1;
    job->running++;
    ddf_work_end_share(engine, job, status, err);
    ddf_feed_call(engine->feed); /* it may have taken some */
}

void ddf_work_cancel(ddf_engine *engine, ddf_job *job) {
    ddf_err err = {0};
    int status = ddf_work_given_up(&err);
    ddf_work_end_early(engine, job, status, &err);
}


/* Where a job's missed pieces are taken from. */
static ddf_jobs *queue_of(ddf_engine *engine, const ddf_job *job) {
    return ddf_shards_are_remote(job->shards) ? &engine->outside : &engine->waiting;
}

/* Hand a job's missed pieces to those outside who may wait. Where nobody does, the job fails. */
static void queue_outside(ddf_engine *engine, ddf_job *job) {
    ddf_jobs_push(&engine->outside, job);
    ddf_feed_call(engine->feed);
    if (engine->feed == NULL) {
        ddf_err err = {-ENOTSUP, "nobody outside reads for this engine", 0, 0};
        ddf_work_end_early(engine, job, -ENOTSUP, &err);
    }
}

/* The same for those within; the job may be gone afterwards. */
static void queue_missed(ddf_engine *engine, ddf_job *job) {
    if (queue_of(engine, job) == &engine->outside) {
        queue_outside(engine, job);
        return;
    }
    ddf_jobs_insert(&engine->waiting, job);
    call_waiters(engine, job, job->n_missed - job->missed_taken);
}

/* Note pieces that have to be waited for. */
static void add_missed(ddf_engine *engine, ddf_job *job, const uint32_t *missed, size_t n) {
    if (job->status < 0) {
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
        call_waiters(engine, job, n);
    } else {
        queue_missed(engine, job);
    }
}

/* Whether something may be copied without waiting. Dense reads stay in line behind older ones that wait: reads out of order
 * would have the system read ahead in small steps. */
static int can_be_ready(const ddf_engine *engine, const ddf_job *job) {
    const ddf_job *first = engine->waiting.head;
    int in_line = job->access == DDF_DENSE && first != NULL && first->number < job->number;
    return !engine->direct && !in_line && ddf_shards_can_be_ready(job->shards);
}

/* A file that is never ready: all that was not tried yet has to be waited for. The job may be gone afterwards. */
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

void ddf_work_prepare(ddf_engine *engine, ddf_job *job) {
    job->running++;
    engine->preparing++;
    job->preparing = job->looking = 1;
    pthread_mutex_unlock(&engine->lock);
    int status = job->prepare(job, engine);
    pthread_mutex_lock(&engine->lock);
    engine->preparing--;
    job->preparing = job->looking = 0;
    engine->copying += (size_t)job->away;
    engine->away -= (size_t)job->away;
    job->prepared = 1;
    ddf_err err = job->err;
    if (job->cancelled || engine->stopping) {
        status = ddf_work_given_up(&err);
        pthread_cond_broadcast(&engine->completed); /* ddf_engine_cancel waits for the preparation */
    }
    if (status >= 0 && job->n_pieces > 0) {
        ddf_jobs_push_front(&engine->fresh, job); /* the oldest job goes first */
        if (can_be_ready(engine, job)) {
            (void)ddf_work_call_threads(engine, helpers_for(engine, job));
        } else {
            miss_untried(engine, job);
        }
    }
    ddf_work_end_share(engine, job, status, &err);
}

/* Take one share of the first fresh job. */
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
    engine->progress += (s.last - s.first) - n;
    if (n > 0 && engine->stopping) {
        status = ddf_work_given_up(&err);
    }
    if (status >= 0 && n > 0) {
        add_missed(engine, job, missed, n);
        if (job->access == DDF_DENSE && job->taken < job->n_pieces) {
            miss_untried(engine, job); /* what lies behind is on disk, too, and is read ahead once somebody waits for it */
        }
    }
    ddf_work_end_share(engine, job, status, &err);
    engine->copying--;
}

/* Learn from a read how many there should be, have more at work if that pays, and see whether storage is gone: then
 * those that are left fail at once, or each would take as long as this one. */
static void note_read(ddf_engine *engine, const ddf_job *job, int status, uint64_t bytes, uint64_t started) {
    size_t before = engine->flow.limit;
    if (status >= 0) {
        engine->last_good = ddf_sys_now();
        atomic_store(&engine->hopeless, engine->stopping);
        if (ddf_shards_are_far(job->shards)) {
            ddf_flow_note(&engine->flow, engine->reading, bytes);
        }
    } else {
        if (engine->last_good < started && ddf_retry_may_pass(status, 1)) {
            atomic_store(&engine->hopeless, 1);
        }
        ddf_flow_back_off(&engine->flow);
    }
    if (engine->flow.limit > before && engine->waiting.head != NULL) {
        (void)ddf_work_call_threads(engine, engine->flow.limit - before);
    }
}

static void run_waiting_piece(ddf_engine *engine, ddf_job *job, size_t number) {
    const ddf_read *piece = &job->pieces[number];
    uint64_t started = ddf_sys_now();
    ddf_err err = {0};
    job->running++;
    if (engine->waiting.head == NULL && ddf_work_may_copy(engine)) {
        (void)ddf_work_call_threads(engine, 1); /* it was left to this thread, which is away for who knows how long */
    }
    pthread_mutex_unlock(&engine->lock);
    int status = ddf_job_read_waiting(job, piece, engine->direct, &engine->hopeless, &err);
    pthread_mutex_lock(&engine->lock);
    engine->progress++;
    note_read(engine, job, status, piece->length, started);
    ddf_work_end_share(engine, job, status, &err);
}

size_t ddf_work_take_missed(ddf_jobs *queue, ddf_job *job) {
    size_t number = job->missed[job->missed_taken++];
    if (job->missed_taken == job->n_missed) {
        (void)ddf_jobs_unlink(queue, job);
    }
    return number;
}

int ddf_work_leave_to_threads(ddf_engine *engine, ddf_job *job, size_t number) {
    ddf_ring_state before = engine->ring_state;
    engine->ring_state = RING_ENDS;
    (void)ddf_work_call_threads(engine, engine->flow.limit);
    if (ddf_work_workers(engine) == 0) {
        engine->ring_state = before;
        return 0;
    }
    if (job->missed_taken == job->n_missed) {
        ddf_jobs_insert(&engine->waiting, job);
    }
    job->missed[--job->missed_taken] = (uint32_t)number;
    job->running--;
    return 1;
}

/* A lone read gains nothing from a thread; without any, all is left to the caller. */
int ddf_work_once_for(ddf_engine *engine, ddf_job *job) {
    ddf_jobs *queue = queue_of(engine, job);
    size_t left = queue == &engine->outside ? 0 : job->n_missed - job->missed_taken;
    if (job->taken < job->n_pieces && !can_be_ready(engine, job)) {
        miss_untried(engine, job);
    } else if (job->taken < job->n_pieces) {
        run_ready_share(engine, job);
    } else if (left > 0 && (engine->threads == 0 || (job->n_missed == 1 && ddf_shards_can_be_ready(job->shards)))) {
        run_waiting_piece(engine, job, ddf_work_take_missed(queue, job));
    } else {
        return 0;
    }
    return 1;
}

/* Take the next thing to do for the first fresh job. */
static void run_fresh(ddf_engine *engine, ddf_job *job) {
    if (job->prepared) {
        run_ready_share(engine, job);
        return;
    }
    (void)ddf_jobs_pop(&engine->fresh);
    engine->copying++;
    job->counted = 1;
    ddf_work_prepare(engine, job);
    engine->copying--;
}

/* Whether the next job is to be prepared now: the last one that waits is being read, and storage shall not run dry. */
static int is_running_dry(const ddf_engine *engine) {
    return engine->waiting.head != NULL && engine->waiting.head == engine->waiting.tail && engine->preparing == 0 &&
           ddf_work_may_copy(engine) && !engine->fresh.head->prepared;
}

/* Do one thing that there is to do. Returns 0 if there was none. */
static int work_once(ddf_engine *engine) {
    ddf_job *job = engine->ended.head;
    if (job != NULL) {
        ddf_work_end_share(engine, ddf_jobs_pop(&engine->ended), DDF_OK, NULL);
        return 1;
    }
    if (is_running_dry(engine)) {
        run_fresh(engine, engine->fresh.head);
        return 1;
    }
    job = engine->waiting.head;
    if (job != NULL && engine->ring_state != RING_RUNS && engine->reading < waiters_for(engine, job)) {
        engine->reading++;
        size_t number = ddf_work_take_missed(&engine->waiting, job);
        const ddf_job *next = engine->waiting.head;
        if (next != NULL && next != job) { /* more may wait for it than did for this one */
            call_waiters(engine, next, next->n_missed - next->missed_taken);
        }
        run_waiting_piece(engine, job, number);
        engine->reading--;
        return 1;
    }
    job = engine->fresh.head;
    if (job != NULL && job->prepared && !can_be_ready(engine, job)) {
        miss_untried(engine, job);
        return 1;
    }
    if (!ddf_work_may_copy(engine)) {
        return 0;
    }
    run_fresh(engine, job);
    return 1;
}

/* Whether a caller may take a share: nothing in it may hang. */
static int may_be_helped(const ddf_engine *engine, const ddf_job *job) {
    return job != NULL && job->shards != NULL && can_be_ready(engine, job) &&
           !ddf_shards_may_wait(job->shards) && !ddf_shards_are_far(job->shards);
}

int ddf_work_help(ddf_engine *engine) {
    ddf_job *job = engine->fresh.head;
    if (!may_be_helped(engine, job)) {
        return 0;
    }
    engine->helper = 0;
    int may_copy = ddf_work_may_copy(engine);
    if (may_copy) {
        run_fresh(engine, job);
    }
    engine->helper = engine->ready_threads > 1;
    return may_copy;
}

void ddf_work_end_thread(ddf_engine *engine) {
    engine->threads--;
    pthread_cond_broadcast(&engine->completed);
    pthread_mutex_unlock(&engine->lock);
    ddf_work_unref(engine);
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
    ddf_work_end_thread(engine);
    return NULL;
}

