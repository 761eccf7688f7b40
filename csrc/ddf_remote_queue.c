#include "ddf_remote_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "ddf_core.h"

struct ddf_remote_queue {
    ddf_notifier notifier;    /* the engine's remote_reader until it is closed */
    ddf_engine *engine;       /* retained */
    atomic_size_t references; /* the owner's, and one for each acquired piece */
};

int ddf_remote_queue_new(ddf_engine *engine, ddf_remote_queue **out) {
    ddf_remote_queue *queue = calloc(1, sizeof *queue);
    int status = queue == NULL ? -ENOMEM : ddf_notifier_open(&queue->notifier);
    if (status < 0) {
        free(queue);
        return status;
    }
    atomic_init(&queue->references, 1);
    queue->engine = engine;
    ddf_core_lock(engine);
    if (engine->remote_reader != NULL) {
        status = -EBUSY;
    } else {
        engine->remote_reader = &queue->notifier;
        atomic_fetch_add(&engine->references, 1);
    }
    ddf_core_unlock(engine);
    if (status < 0) {
        ddf_notifier_close(&queue->notifier);
        free(queue);
        return status;
    }
    *out = queue;
    return DDF_OK;
}

static void unref(ddf_remote_queue *queue) {
    if (atomic_fetch_sub(&queue->references, 1) != 1) {
        return;
    }
    ddf_notifier_close(&queue->notifier);
    ddf_core_unref(queue->engine);
    free(queue);
}

void ddf_remote_queue_close(ddf_remote_queue *queue) {
    ddf_engine *engine = queue->engine;
    ddf_core_lock(engine);
    if (engine->remote_reader == &queue->notifier) {
        engine->remote_reader = NULL;
        while (engine->remote.head != NULL) {
            ddf_core_cancel(engine, engine->remote.head);
        }
    }
    ddf_core_unlock(engine);
}

void ddf_remote_queue_release(ddf_remote_queue *queue) {
    if (queue != NULL) {
        ddf_remote_queue_close(queue);
        unref(queue);
    }
}

/* The next piece of the first job outside. Call with the engine's lock held. */
static ddf_remote_piece take_one(ddf_engine *engine) {
    ddf_job *job = engine->remote.head;
    size_t number = ddf_core_take_missed(&engine->remote, job);
    const ddf_read *read = &job->pieces[number];
    ddf_place place = ddf_shards_place(job->shards, read->offset);
    job->running++;
    if (job->arena != NULL) {
        ddf_arena_retain(job->arena);
    }
    return (ddf_remote_piece){
        .shard = place.shard,
        .position = place.position,
        .length = read->length,
        .data = job->base + read->at,
        .arena = job->arena,
        .job = job,
        .number = number,
    };
}

size_t ddf_remote_queue_acquire(ddf_remote_queue *queue, ddf_remote_piece *pieces, size_t most) {
    ddf_engine *engine = queue->engine;
    size_t n = 0;
    ddf_core_lock(engine);
    while (n < most && engine->remote_reader == &queue->notifier && engine->remote.head != NULL) {
        pieces[n++] = take_one(engine);
    }
    atomic_fetch_add(&queue->references, n);
    ddf_core_unlock(engine);
    return n;
}

/* A copy of the reason in the arena of the job. No other thread allocates from the arena while a piece is acquired. Call with the engine's lock held. */
static const char *keep_reason(const ddf_job *job, const char *reason) {
    size_t size = reason == NULL ? 0 : strlen(reason) + 1;
    if (job->arena == NULL || size == 0 || job->status < 0) { /* the first failure counts */
        return reason;
    }
    char *copy = ddf_arena_alloc(job->arena, size, 1, 0);
    return copy == NULL ? "no memory for the error message" : memcpy(copy, reason, size);
}

/* A reader need not fill a cancelled piece, so it never counts as filled. Call with the engine's lock held. */
static int is_cancelled(const ddf_remote_queue *queue, const ddf_job *job) {
    return job->status < 0 || queue->engine->stopping || queue->engine->remote_reader != &queue->notifier;
}

void ddf_remote_queue_complete(ddf_remote_queue *queue, const ddf_remote_piece *piece, int status, const char *reason) {
    ddf_engine *engine = queue->engine;
    ddf_job *job = piece->job;
    ddf_err err = {0};
    ddf_core_lock(engine);
    if (status < 0) {
        (void)ddf_fail(&err, status, keep_reason(job, reason), piece->shard, piece->position);
    } else if (is_cancelled(queue, job)) {
        status = ddf_core_cancelled(&err);
    }
    ddf_core_end_external_share(engine, job, status, &err);
    ddf_core_unlock(engine);
    unref(queue);
}

int ddf_remote_queue_is_cancelled(ddf_remote_queue *queue, const ddf_remote_piece *piece) {
    ddf_engine *engine = queue->engine;
    ddf_core_lock(engine);
    int cancelled = is_cancelled(queue, piece->job);
    ddf_core_unlock(engine);
    return cancelled;
}

int ddf_remote_queue_fd(const ddf_remote_queue *queue) { return ddf_notifier_fd(&queue->notifier); }

void ddf_remote_queue_arm(ddf_remote_queue *queue) { ddf_notifier_arm(&queue->notifier); }

void ddf_remote_queue_clear(ddf_remote_queue *queue) { ddf_notifier_clear(&queue->notifier); }
