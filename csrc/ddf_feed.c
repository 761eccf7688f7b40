#include "ddf_feed.h"

#include <errno.h>
#include <stdlib.h>

#include "ddf_core.h"

struct ddf_feed {
    ddf_notifier notifier;    /* the engine's remote_reader until it is closed */
    ddf_engine *engine;       /* retained */
    atomic_size_t references; /* the owner's, and one for each piece that is out */
};

int ddf_feed_new(ddf_engine *engine, ddf_feed **out) {
    ddf_feed *feed = calloc(1, sizeof *feed);
    int status = feed == NULL ? -ENOMEM : ddf_notifier_open(&feed->notifier);
    if (status < 0) {
        free(feed);
        return status;
    }
    atomic_init(&feed->references, 1);
    feed->engine = engine;
    ddf_core_lock(engine);
    if (engine->remote_reader != NULL) {
        status = -EBUSY;
    } else {
        engine->remote_reader = &feed->notifier;
        atomic_fetch_add(&engine->references, 1);
    }
    ddf_core_unlock(engine);
    if (status < 0) {
        ddf_notifier_close(&feed->notifier);
        free(feed);
        return status;
    }
    *out = feed;
    return DDF_OK;
}

static void unref(ddf_feed *feed) {
    if (atomic_fetch_sub(&feed->references, 1) != 1) {
        return;
    }
    ddf_notifier_close(&feed->notifier);
    ddf_core_unref(feed->engine);
    free(feed);
}

void ddf_feed_close(ddf_feed *feed) {
    ddf_engine *engine = feed->engine;
    ddf_core_lock(engine);
    if (engine->remote_reader == &feed->notifier) {
        engine->remote_reader = NULL;
        while (engine->remote.head != NULL) {
            ddf_core_cancel(engine, engine->remote.head);
        }
    }
    ddf_core_unlock(engine);
}

void ddf_feed_release(ddf_feed *feed) {
    if (feed != NULL) {
        ddf_feed_close(feed);
        unref(feed);
    }
}

/* The next piece of the first job outside. Call with the engine's lock held. */
static ddf_feed_piece take_one(ddf_engine *engine) {
    ddf_job *job = engine->remote.head;
    size_t number = ddf_core_take_missed(&engine->remote, job);
    const ddf_read *read = &job->pieces[number];
    ddf_place place = ddf_shards_place(job->shards, read->offset);
    job->running++;
    if (job->arena != NULL) {
        ddf_arena_retain(job->arena);
    }
    return (ddf_feed_piece){
        .shard = place.shard,
        .position = place.position,
        .length = read->length,
        .data = job->base + read->at,
        .arena = job->arena,
        .job = job,
        .number = number,
    };
}

size_t ddf_feed_take(ddf_feed *feed, ddf_feed_piece *pieces, size_t most) {
    ddf_engine *engine = feed->engine;
    size_t n = 0;
    ddf_core_lock(engine);
    while (n < most && engine->remote_reader == &feed->notifier && engine->remote.head != NULL) {
        pieces[n++] = take_one(engine);
    }
    atomic_fetch_add(&feed->references, n);
    ddf_core_unlock(engine);
    return n;
}

/* A copy of why a job fails that lives as long as what the job has read. Nobody else takes memory of its arena while a
 * piece is out. Call with the engine's lock held. */
static const char *keep_reason(const ddf_job *job, const char *reason) {
    size_t size = reason == NULL ? 0 : strlen(reason) + 1;
    if (job->arena == NULL || size == 0 || job->status < 0) { /* the first failure counts */
        return reason;
    }
    char *copy = ddf_arena_alloc(job->arena, size, 1, 0);
    return copy == NULL ? "no memory to say why" : memcpy(copy, reason, size);
}

/* Who is told so may leave the memory as it is: such a piece never counts as filled. Call with the engine's lock held. */
static int is_given_up(const ddf_feed *feed, const ddf_job *job) {
    return job->status < 0 || feed->engine->stopping || feed->engine->remote_reader != &feed->notifier;
}

void ddf_feed_end(ddf_feed *feed, const ddf_feed_piece *piece, int status, const char *reason) {
    ddf_engine *engine = feed->engine;
    ddf_job *job = piece->job;
    ddf_err err = {0};
    ddf_core_lock(engine);
    if (status < 0) {
        (void)ddf_fail(&err, status, keep_reason(job, reason), piece->shard, piece->position);
    } else if (is_given_up(feed, job)) {
        status = ddf_core_cancelled(&err);
    }
    ddf_core_end_share_elsewhere(engine, job, status, &err);
    ddf_core_unlock(engine);
    unref(feed);
}

int ddf_feed_is_given_up(ddf_feed *feed, const ddf_feed_piece *piece) {
    ddf_engine *engine = feed->engine;
    ddf_core_lock(engine);
    int given_up = is_given_up(feed, piece->job);
    ddf_core_unlock(engine);
    return given_up;
}

int ddf_feed_fd(const ddf_feed *feed) { return ddf_notifier_fd(&feed->notifier); }

void ddf_feed_arm(ddf_feed *feed) { ddf_notifier_arm(&feed->notifier); }

void ddf_feed_clear(ddf_feed *feed) { ddf_notifier_clear(&feed->notifier); }
