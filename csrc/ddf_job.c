#include "ddf_job.h"

#include "ddf_retry.h"

void ddf_job_init(ddf_job *job) {
    atomic_init(&job->done, 0);
    job->status = DDF_OK;
    job->next = NULL;
    job->landed = NULL;
    job->access = DDF_SCATTERED;
    job->n_pieces = job->taken = job->running = job->n_missed = job->missed_taken = 0;
    job->waited = 0;
    job->prepared = job->preparing = job->looking = job->counted = job->away = job->cancelled = job->finishing = 0;
}

int ddf_job_has_work_left(const ddf_job *job) {
    return !job->prepared || job->taken < job->n_pieces || job->missed_taken < job->n_missed;
}

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

/* Have the data file of a shard open and as it was: pages of a mapping behind the new end would be fatal to touch.
 * `file` is given back first, and becomes NULL where opening has to wait. */
static int change_file(ddf_job *job, size_t shard, ddf_file **file, ddf_err *err) {
    ddf_shards_give(job->shards, *file);
    *file = NULL;
    int status = ddf_shards_take_ready(job->shards, shard, file, err);
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
        } else if (job->landed != NULL) {
            job->landed(job, i);
        }
    }
    ddf_shards_give(job->shards, file);
    return status;
}

int ddf_job_read_waiting(ddf_job *job, const ddf_read *piece, int direct, const atomic_int *stop, ddf_err *err) {
    ddf_place place = ddf_shards_place(job->shards, piece->offset);
    ddf_file *file;
    int status = ddf_shards_take(job->shards, place.shard, &file, err);
    if (status >= 0) {
        uint8_t *to = job->base + piece->at;
        ddf_access access = direct ? DDF_DIRECT : job->access;
        status = ddf_retry_read_planned(file, access, to, (size_t)piece->length, place.position, stop, err);
        ddf_shards_give(job->shards, file);
    }
    if (status >= 0 && job->landed != NULL) {
        job->landed(job, (size_t)(piece - job->pieces));
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
