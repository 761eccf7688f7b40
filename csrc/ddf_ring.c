#include "ddf_ring.h"

#include <errno.h>

#include "ddf_core.h"
#include "ddf_retry.h"

/* Add as many reads as the ring has room for. The files are opened without the lock. */
static void fill_ring(ddf_engine *engine) {
    while (engine->waiting.head != NULL && ddf_uring_room(engine->ring) > 0 && !engine->stopping) {
        ddf_job *job = engine->waiting.head;
        size_t number = ddf_core_take_missed(&engine->waiting, job);
        const ddf_read *piece = &job->pieces[number];
        ddf_place place = ddf_shards_place(job->shards, piece->offset);
        ddf_file **file = &job->held[number];
        ddf_err err = {0};
        job->running++;
        ddf_core_unlock(engine);
        int status = ddf_shards_acquire_file(job->shards, place.shard, file, &err);
        if (status >= 0) {
            ddf_uring_read(engine->ring, ddf_file_planned_fd(*file, job->access), job->base + piece->at,
                           (size_t)piece->length, place.position, job, number);
        }
        ddf_core_lock(engine);
        if (status < 0) {
            ddf_core_end_share(engine, job, status, &err);
        }
    }
}

/* Whether a read is to be retried. Retries pause, so threads make them: the ring is for storage that works. */
static int is_transient(const ddf_engine *engine, const ddf_job *job, int status) {
    return status < 0 && job->status >= 0 && !engine->stopping && !atomic_load(&engine->no_retry) &&
           ddf_retry_is_transient(status, ddf_shards_are_mounted(job->shards));
}

/* Leave a piece that the ring has taken, and all later ones, to threads. Returns 0 if there are none. */
static int leave_to_threads(ddf_engine *engine, ddf_job *job, size_t number) {
    ddf_ring_state before = engine->ring_state;
    engine->ring_state = RING_ENDS;
    (void)ddf_core_call_threads(engine, engine->limit.reads);
    if (ddf_core_workers(engine) == 0) {
        engine->ring_state = before;
        return 0;
    }
    if (ddf_job_get_state(job) == DDF_JOB_DRAINING) {
        ddf_job_move(job, DDF_JOB_WAITING);
        ddf_jobs_insert(&engine->waiting, job);
    }
    job->missed[--job->missed_taken] = (uint32_t)number;
    job->running--;
    return 1;
}

static void end_read(ddf_engine *engine, const ddf_uring_end *end) {
    ddf_job *job = end->owner;
    const ddf_read *piece = &job->pieces[end->number];
    ddf_place place = ddf_shards_place(job->shards, piece->offset);
    ddf_err err = {0};
    int status = end->got == -ECANCELED ? ddf_core_cancelled(&err)
                                        : ddf_file_read_status(end->got, piece->length, place.position, &err);
    if (is_transient(engine, job, status) && leave_to_threads(engine, job, end->number)) {
        return;
    }
    err.item = place.shard;
    ddf_core_end_external_share(engine, job, status, &err);
}

/* Fill the ring and end what it has read, until nothing is in flight after a stop, or after all was left to threads: the
 * kernel writes into the memory of the jobs until then. */
static void run_ring(ddf_engine *engine) {
    ddf_uring_end ends[DDF_SHARE_PIECES];
    int cancelled = 0;
    while ((!engine->stopping && engine->ring_state == RING_RUNS) || ddf_uring_in_flight(engine->ring) > 0) {
        if (!engine->stopping && engine->ring_state == RING_RUNS) {
            fill_ring(engine);
            engine->ring_asleep = ddf_uring_room(engine->ring) > 0;
        } else if (engine->stopping && !cancelled) {
            cancelled = 1;
            ddf_uring_cancel(engine->ring);
        }
        ddf_core_unlock(engine);
        size_t n = ddf_uring_wait(engine->ring, ends, DDF_SHARE_PIECES);
        for (size_t i = 0; i < n; i++) {
            const ddf_job *job = ends[i].owner;
            ddf_shards_release_file(job->shards, job->held[ends[i].number]);
        }
        ddf_core_lock(engine);
        engine->ring_asleep = 0;
        for (size_t i = 0; i < n; i++) {
            end_read(engine, &ends[i]);
        }
    }
}

void *ddf_ring_run(void *arg) {
    ddf_engine *engine = arg;
    ddf_thread self = {DDF_WORKER, DDF_THREAD_RING};
    int status = ddf_uring_start(engine->ring);
    ddf_core_lock(engine);
    if (status >= 0) {
        run_ring(engine);
    }
    engine->ring_state = RING_NONE;
    if (engine->waiting.head != NULL) { /* the ring did not start */
        (void)ddf_core_call_threads(engine, engine->limit.reads);
    }
    ddf_core_end_thread(engine, &self);
    return NULL;
}

