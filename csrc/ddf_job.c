#include "ddf_job.h"

#include "ddf_debug.h"
#include "ddf_retry.h"

/* ---- states ---- */

#define TO(state) (1u << DDF_JOB_##state)

/* All transitions, by the state that they leave. Each is made under the engine's lock. */
static const uint16_t TRANSITIONS[DDF_JOB_STATES] = {
    [DDF_JOB_NEW] = TO(QUEUED)       /* ddf_engine_submit, always */
                    | TO(PREPARING), /* ddf_engine_run, always: its caller prepares the job */
    [DDF_JOB_QUEUED] = TO(PREPARING)   /* the worker or the waiting caller that takes the job from `fresh` */
                       | TO(DRAINING), /* a cancel or a stop, or ddf_engine_submit where no thread can be started */
    [DDF_JOB_PREPARING] = TO(DETACHED)   /* `prepare`, by ddf_engine_detach */
                          | TO(READY)    /* the thread that prepared it, if there are pieces to read */
                          | TO(DRAINING), /* the same, if there are none, preparing failed, or the job was cancelled */
    [DDF_JOB_DETACHED] = TO(READY) | TO(DRAINING), /* as from PREPARING */
    [DDF_JOB_READY] = TO(WAITING)    /* the thread that tries the last piece, or finds that nothing is ready: some are missed */
                      | TO(REMOTE)   /* the same, if the shards are remote */
                      | TO(DRAINING), /* the thread that takes the last share, if none is missed yet; or a failure or a cancel */
    [DDF_JOB_WAITING] = TO(DRAINING), /* the worker or the ring that takes the last missed piece; or a failure or a cancel */
    [DDF_JOB_REMOTE] = TO(DRAINING),  /* the remote reader that takes the last missed piece; or a failure or a cancel */
    [DDF_JOB_DRAINING] = TO(WAITING)   /* the thread whose share has missed pieces; the ring that returns a failed piece */
                         | TO(READ)    /* the ring or the remote reader that has read the last piece, if there are workers */
                         | TO(FINISHING), /* the thread that ends the last share */
    [DDF_JOB_READ] = TO(FINISHING),    /* the worker, or the stop, which takes the job from `ended` */
    [DDF_JOB_FINISHING] = TO(DONE),    /* the thread that ran `finish` */
    [DDF_JOB_DONE] = 0,
};

int ddf_job_may_move(ddf_job_state from, ddf_job_state to) { return (TRANSITIONS[from] >> to & 1u) != 0; }

void ddf_job_move(ddf_job *job, ddf_job_state to) {
    DDF_ASSERT(ddf_job_may_move(ddf_job_get_state(job), to));
    atomic_store_explicit(&job->state, (int)to, memory_order_release);
}

int ddf_job_is_done(const ddf_job *job) {
    return atomic_load_explicit(&job->state, memory_order_acquire) == DDF_JOB_DONE;
}

#ifdef DDF_CHECKS
static int is_consistent(const ddf_job *job) {
    return job->taken <= job->n_pieces && job->missed_taken <= job->n_missed && job->n_missed <= job->n_pieces;
}

static int is_taken(const ddf_job *job) { return job->taken == job->n_pieces && job->missed_taken == job->n_missed; }

void ddf_job_check(const ddf_job *job) {
    switch (ddf_job_get_state(job)) {
    case DDF_JOB_NEW:
    case DDF_JOB_QUEUED:
        DDF_ASSERT(job->running == 0 && is_taken(job) && job->preparer == NULL && job->status >= 0);
        break;
    case DDF_JOB_PREPARING: /* `prepare` writes the other fields */
    case DDF_JOB_DETACHED:
        DDF_ASSERT(job->running == 1 && job->preparer != NULL && job->status >= 0);
        break;
    case DDF_JOB_READY:
        DDF_ASSERT(is_consistent(job) && job->taken < job->n_pieces && job->missed_taken == 0 && job->status >= 0);
        break;
    case DDF_JOB_WAITING:
    case DDF_JOB_REMOTE:
        DDF_ASSERT(is_consistent(job) && job->taken == job->n_pieces);
        DDF_ASSERT(job->missed_taken < job->n_missed && job->status >= 0);
        break;
    case DDF_JOB_DRAINING:
    case DDF_JOB_READ:
        DDF_ASSERT(is_consistent(job) && is_taken(job) && job->running >= 1);
        break;
    default:
        DDF_ASSERT(is_consistent(job) && is_taken(job) && job->running == 0);
        break;
    }
}
#endif

void ddf_job_init(ddf_job *job) {
    atomic_init(&job->state, DDF_JOB_NEW);
    job->status = DDF_OK;
    job->next = NULL;
    job->preparer = NULL;
    job->piece_read = NULL;
    job->access = DDF_SCATTERED;
    job->n_pieces = job->taken = job->running = job->n_missed = job->missed_taken = 0;
    job->waited = 0;
    job->cancelled = 0;
}

void ddf_job_skip_rest(ddf_job *job) {
    job->taken = job->n_pieces;
    job->missed_taken = job->n_missed;
    ddf_job_move(job, DDF_JOB_DRAINING);
}

/* ---- pieces ---- */

void ddf_job_fail(ddf_job *job, int status, const ddf_err *err) {
    if (job->status >= 0) {
        job->status = status;
        job->err = *err;
    }
}

ddf_share ddf_job_take_ready(ddf_job *job) {
    ddf_share s = {job->taken, job->taken};
    uint64_t bytes = 0;
    while (s.last < job->n_pieces && s.last - s.first < DDF_SHARE_PIECES && bytes < DDF_SHARE_BYTES) {
        bytes += job->pieces[s.last++].length;
    }
    job->taken = s.last;
    return s;
}

/* Acquire the data file of a shard, and check that it is unchanged: touching a mapped page after a new end would be fatal.
 * `file` is released first, and becomes NULL if opening has to wait. */
static int change_file(ddf_job *job, size_t shard, ddf_file **file, ddf_err *err) {
    ddf_shards_release_file(job->shards, *file);
    *file = NULL;
    int status = ddf_shards_acquire_open_file(job->shards, shard, file, err);
    if (status >= 0 && *file != NULL) {
        status = ddf_file_check(*file, err);
        err->item = shard;
    }
    return status;
}

int ddf_job_read_ready(ddf_job *job, ddf_share share, uint32_t *missed, size_t *n, ddf_err *err) {
    ddf_file *file = NULL;
    size_t shard = SIZE_MAX;
    int status = DDF_OK;
    for (size_t i = share.first; i < share.last && status >= 0; i++) {
        ddf_read *piece = &job->pieces[i];
        ddf_place place = ddf_shards_place(job->shards, piece->offset);
        if (place.shard != shard) {
            shard = place.shard;
            status = change_file(job, shard, &file, err);
        }
        size_t size = (size_t)piece->length, got = 0;
        if (status >= 0 && file != NULL) {
            got = ddf_file_read_ready(file, job->access, job->base + piece->at, size, place.position);
        }
        if (got < size) {
            *piece = (ddf_read){piece->offset + got, size - got, piece->at + got};
            missed[(*n)++] = (uint32_t)i;
        } else if (job->piece_read != NULL) {
            job->piece_read(job, i);
        }
    }
    ddf_shards_release_file(job->shards, file);
    return status;
}

int ddf_job_read_waiting(ddf_job *job, const ddf_read *piece, int direct, const atomic_int *stop, ddf_err *err) {
    ddf_place place = ddf_shards_place(job->shards, piece->offset);
    ddf_file *file;
    int status = ddf_shards_acquire_file(job->shards, place.shard, &file, err);
    if (status >= 0) {
        uint8_t *to = job->base + piece->at;
        ddf_access access = direct ? DDF_DIRECT : job->access;
        status = ddf_retry_read_planned(file, access, to, (size_t)piece->length, place.position, stop, err);
        ddf_shards_release_file(job->shards, file);
    }
    if (status >= 0 && job->piece_read != NULL) {
        job->piece_read(job, (size_t)(piece - job->pieces));
    }
    err->item = place.shard;
    return status;
}

/* ---- lists ---- */

void ddf_jobs_push(ddf_jobs *jobs, ddf_job *job) {
    job->next = NULL;
    if (jobs->tail == NULL) {
        jobs->head = job;
    } else {
        jobs->tail->next = job;
    }
    jobs->tail = job;
}

void ddf_jobs_insert(ddf_jobs *jobs, ddf_job *job) {
    if (jobs->tail == NULL || jobs->tail->number < job->number) {
        ddf_jobs_push(jobs, job);
        return;
    }
    ddf_job **at = &jobs->head;
    while ((*at)->number < job->number) {
        at = &(*at)->next;
    }
    job->next = *at;
    *at = job;
}

void ddf_jobs_push_front(ddf_jobs *jobs, ddf_job *job) {
    job->next = jobs->head;
    jobs->head = job;
    if (jobs->tail == NULL) {
        jobs->tail = job;
    }
}

ddf_job *ddf_jobs_pop(ddf_jobs *jobs) {
    ddf_job *job = jobs->head;
    jobs->head = job->next;
    if (jobs->head == NULL) {
        jobs->tail = NULL;
    }
    return job;
}

int ddf_jobs_unlink(ddf_jobs *jobs, ddf_job *job) {
    ddf_job *before = NULL;
    for (ddf_job *at = jobs->head; at != NULL; before = at, at = at->next) {
        if (at != job) {
            continue;
        }
        if (before == NULL) {
            (void)ddf_jobs_pop(jobs);
        } else {
            before->next = at->next;
            jobs->tail = jobs->tail == at ? before : jobs->tail;
        }
        return 1;
    }
    return 0;
}
