#include "ddf_worker.h"

#include "ddf_retry.h"

/* ---- preparation ---- */

/* How many more threads make copying a job's pieces faster. */
static size_t helpers_for(const ddf_engine *engine, const ddf_job *job) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->n_pieces; i++) {
        bytes += job->pieces[i].length;
    }
    /* Small pieces justify a thread if each takes a system call; four of them represent the others. */
    size_t entered = 0;
    for (size_t i = 0; i < 4; i++) {
        entered += (size_t)ddf_shards_are_populated(job->shards, job->pieces[i * (job->n_pieces - 1) / 3].offset);
    }
    uint64_t shares = bytes / DDF_SHARE_BYTES + (entered > 2 ? 0 : (job->n_pieces - 1) / DDF_SHARE_PIECES);
    return shares < engine->ready_threads - 1 ? (size_t)shares : engine->ready_threads - 1;
}

/* Queue the pieces of a prepared job, and call threads for them. */
static void begin_reading(ddf_engine *engine, ddf_job *job) {
    ddf_job_move(job, DDF_JOB_READY);
    ddf_jobs_push_front(&engine->fresh, job); /* the oldest job goes first */
    if (ddf_core_can_be_ready(engine, job)) {
        (void)ddf_core_call_threads(engine, helpers_for(engine, job));
    } else {
        ddf_core_miss_untried(engine, job);
    }
}

void ddf_worker_prepare(ddf_engine *engine, ddf_thread *self, ddf_job *job) {
    job->running++;
    job->preparer = self;
    engine->preparing++;
    ddf_job_move(job, DDF_JOB_PREPARING);
    ddf_core_unlock(engine);
    int status = job->prepare(job, engine);
    ddf_core_lock(engine);
    engine->preparing--;
    job->preparer = NULL;
    if (self->state == DDF_THREAD_AWAY) {
        ddf_core_move(engine, self, DDF_THREAD_COPYING);
    }
    ddf_err err = job->err;
    if (job->cancelled || engine->stopping) {
        status = ddf_core_cancelled(&err);
        pthread_cond_broadcast(&engine->completed); /* ddf_engine_cancel waits for the preparation */
    }
    if (status >= 0 && job->n_pieces > 0) {
        begin_reading(engine, job);
    } else {
        ddf_job_skip_rest(job);
    }
    ddf_core_end_share(engine, job, status, &err);
}

/* ---- shares ---- */

/* Note pieces that have to be waited for. */
static void add_missed(ddf_engine *engine, ddf_job *job, const uint32_t *missed, size_t n) {
    if (job->status < 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        job->missed[job->n_missed++] = missed[i];
        job->waited += job->pieces[missed[i]].length;
    }
    if (ddf_job_get_state(job) == DDF_JOB_WAITING) {
        ddf_core_call_waiters(engine, job, n);
    } else if (ddf_job_get_state(job) == DDF_JOB_DRAINING) {
        ddf_core_queue_missed(engine, job);
    } /* else it is in `fresh`: these are queued when its last untried piece is taken */
}

/* Take one share of the first fresh job. */
static void run_ready_share(ddf_engine *engine, ddf_thread *self, ddf_job *job) {
    uint32_t missed[DDF_SHARE_PIECES];
    ddf_share s = ddf_job_take_ready(job);
    if (job->taken == job->n_pieces) {
        (void)ddf_jobs_unlink(&engine->fresh, job);
        if (job->n_missed > 0) {
            ddf_core_queue_missed(engine, job);
        } else {
            ddf_job_move(job, DDF_JOB_DRAINING);
        }
    }
    job->running++;
    ddf_core_move(engine, self, DDF_THREAD_COPYING);
    ddf_core_unlock(engine);
    ddf_err err = {0};
    size_t n = 0;
    int status = ddf_job_read_ready(job, s, missed, &n, &err);
    ddf_core_lock(engine);
    engine->progress += (s.last - s.first) - n;
    if (n > 0 && engine->stopping) {
        status = ddf_core_cancelled(&err);
    }
    if (status >= 0 && n > 0) {
        add_missed(engine, job, missed, n);
        if (job->access == DDF_DENSE && job->taken < job->n_pieces) {
            /* the pieces that follow are on disk, too: the system reads ahead once a thread waits for them */
            ddf_core_miss_untried(engine, job);
        }
    }
    ddf_core_end_share(engine, job, status, &err);
    ddf_core_move(engine, self, DDF_THREAD_CHOOSING);
}

/* Adapt the concurrency limit after a read, and detect storage that does not work: the reads that are left then fail
 * without retries, each of which would take as long as this one. */
static void note_read(ddf_engine *engine, const ddf_job *job, int status, uint64_t bytes, uint64_t started) {
    size_t before = engine->limit.reads;
    if (status >= 0) {
        engine->last_success = ddf_sys_now();
        atomic_store(&engine->no_retry, engine->stopping);
        if (ddf_shards_are_mounted(job->shards)) {
            ddf_limit_note_read(&engine->limit, ddf_core_reading(engine), bytes);
        }
    } else {
        if (engine->last_success < started && ddf_retry_is_transient(status, 1)) {
            atomic_store(&engine->no_retry, 1);
        }
        ddf_limit_back_off(&engine->limit);
    }
    if (engine->limit.reads > before && engine->waiting.head != NULL) {
        (void)ddf_core_call_threads(engine, engine->limit.reads - before);
    }
}

/* The thread is DDF_THREAD_READING. */
static void run_waiting_piece(ddf_engine *engine, ddf_thread *self, ddf_job *job, size_t number) {
    const ddf_read *piece = &job->pieces[number];
    uint64_t started = ddf_sys_now();
    ddf_err err = {0};
    job->running++;
    if (engine->waiting.head == NULL && ddf_core_may_copy(engine)) {
        (void)ddf_core_call_threads(engine, 1); /* it was left to this thread, which now waits for storage */
    }
    ddf_core_unlock(engine);
    int status = ddf_job_read_waiting(job, piece, engine->direct, &engine->no_retry, &err);
    ddf_core_lock(engine);
    engine->progress++;
    note_read(engine, job, status, piece->length, started);
    ddf_core_end_share(engine, job, status, &err);
    ddf_core_move(engine, self, DDF_THREAD_CHOOSING);
}

/* Whether the calling thread reads the job's next missed piece: a lone read gains nothing from a thread; without any, all
 * is left to the caller. */
static int is_for_caller(const ddf_engine *engine, const ddf_job *job) {
    return engine->threads == 0 || (job->n_missed == 1 && ddf_shards_can_be_ready(job->shards));
}

int ddf_worker_step_for(ddf_engine *engine, ddf_thread *self, ddf_job *job) {
    ddf_job_state state = ddf_job_get_state(job);
    if (state == DDF_JOB_READY && !ddf_core_can_be_ready(engine, job)) {
        ddf_core_miss_untried(engine, job);
    } else if (state == DDF_JOB_READY) {
        run_ready_share(engine, self, job);
    } else if (state == DDF_JOB_WAITING && is_for_caller(engine, job)) {
        ddf_core_move(engine, self, DDF_THREAD_READING);
        run_waiting_piece(engine, self, job, ddf_core_take_missed(&engine->waiting, job));
    } else {
        return 0;
    }
    return 1;
}

/* Take the next thing to do for the first fresh job. */
static void run_fresh(ddf_engine *engine, ddf_thread *self, ddf_job *job) {
    if (ddf_job_get_state(job) == DDF_JOB_READY) {
        run_ready_share(engine, self, job);
        return;
    }
    (void)ddf_jobs_pop(&engine->fresh);
    ddf_core_move(engine, self, DDF_THREAD_COPYING);
    ddf_worker_prepare(engine, self, job);
    ddf_core_move(engine, self, DDF_THREAD_CHOOSING);
}

/* Whether the next job is to be prepared now: the last one that waits is being read, and storage shall not run dry. */
static int is_running_dry(const ddf_engine *engine) {
    return engine->waiting.head != NULL && engine->waiting.head == engine->waiting.tail && engine->preparing == 0 &&
           ddf_core_may_copy(engine) && ddf_job_get_state(engine->fresh.head) == DDF_JOB_QUEUED;
}

/* Finish a job that the ring or the remote reader has read. */
static void finish_ended(ddf_engine *engine, ddf_thread *self) {
    ddf_core_move(engine, self, DDF_THREAD_FINISHING);
    ddf_core_end_share(engine, ddf_jobs_pop(&engine->ended), DDF_OK, NULL);
    ddf_core_move(engine, self, DDF_THREAD_CHOOSING);
}

/* Read the next missed piece of the first job that waits. */
static void read_missed(ddf_engine *engine, ddf_thread *self) {
    ddf_job *job = engine->waiting.head;
    ddf_core_move(engine, self, DDF_THREAD_READING);
    size_t number = ddf_core_take_missed(&engine->waiting, job);
    const ddf_job *next = engine->waiting.head;
    if (next != NULL && next != job) { /* more may wait for it than did for this one */
        ddf_core_call_waiters(engine, next, next->n_missed - next->missed_taken);
    }
    run_waiting_piece(engine, self, job, number);
}

/* Whether a thread may read the next missed piece. */
static int may_read_missed(const ddf_engine *engine) {
    const ddf_job *job = engine->waiting.head;
    return job != NULL && engine->ring_state != RING_RUNS &&
           ddf_core_reading(engine) < ddf_core_waiters_for(engine, job);
}

/* Do one thing that there is to do. Returns 0 if there was none. */
static int work_once(ddf_engine *engine, ddf_thread *self) {
    ddf_job *job = engine->fresh.head;
    if (engine->ended.head != NULL) {
        finish_ended(engine, self);
    } else if (is_running_dry(engine)) {
        run_fresh(engine, self, job);
    } else if (may_read_missed(engine)) {
        read_missed(engine, self);
    } else if (job != NULL && ddf_job_get_state(job) == DDF_JOB_READY && !ddf_core_can_be_ready(engine, job)) {
        ddf_core_miss_untried(engine, job);
    } else if (ddf_core_may_copy(engine)) {
        run_fresh(engine, self, job);
    } else {
        return 0;
    }
    return 1;
}

/* Whether a caller may take a share: it must not wait for storage. */
static int may_be_helped(const ddf_engine *engine, const ddf_job *job) {
    return job != NULL && job->shards != NULL && ddf_core_can_be_ready(engine, job) &&
           !ddf_shards_may_wait(job->shards) && !ddf_shards_are_mounted(job->shards);
}

int ddf_worker_help(ddf_engine *engine, ddf_thread *self) {
    ddf_job *job = engine->fresh.head;
    if (!may_be_helped(engine, job)) {
        return 0;
    }
    engine->reserved = 0;
    int may_copy = ddf_core_may_copy(engine);
    if (may_copy) {
        run_fresh(engine, self, job);
    }
    engine->reserved = engine->ready_threads > 1;
    return may_copy;
}

static void sleep_until_called(ddf_engine *engine, ddf_thread *self) {
    ddf_core_move(engine, self, DDF_THREAD_IDLE);
    ddf_core_check(engine);
    while (engine->count[DDF_WORKER][DDF_THREAD_CALLED] == 0 && !engine->stopping) {
        pthread_cond_wait(&engine->work, &engine->lock);
    }
    if (engine->count[DDF_WORKER][DDF_THREAD_CALLED] > 0) {
        self->state = DDF_THREAD_CALLED; /* who called has moved the count */
    }
    ddf_core_move(engine, self, DDF_THREAD_CHOOSING);
}

void *ddf_worker_run(void *arg) {
    ddf_engine *engine = arg;
    ddf_thread self = {DDF_WORKER, DDF_THREAD_STARTING};
    ddf_core_lock(engine);
    ddf_core_move(engine, &self, DDF_THREAD_CHOOSING);
    while (!engine->stopping) {
        if (!work_once(engine, &self)) {
            sleep_until_called(engine, &self);
        }
    }
    ddf_core_end_thread(engine, &self);
    return NULL;
}
