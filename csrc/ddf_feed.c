#include "ddf_feed.h"

#include <errno.h>
#include <stdlib.h>

#include "ddf_sys.h"
#include "ddf_work.h"

struct ddf_feed {
    ddf_engine *engine; /* retained */
    atomic_size_t references; /* the owner's, and one for each piece that is out */
    atomic_int armed;
    int notifier[2];
};

int ddf_feed_new(ddf_engine *engine, ddf_feed **out) {
    ddf_feed *feed = calloc(1, sizeof *feed);
    int status = feed == NULL ? -ENOMEM : ddf_sys_notifier_open(feed->notifier);
    if (status < 0) {
        free(feed);
        return status;
    }
    atomic_init(&feed->references, 1);
    atomic_init(&feed->armed, 0);
    feed->engine = engine;
    pthread_mutex_lock(&engine->lock);
    if (engine->feed != NULL) {
        status = -EBUSY;
    } else {
        engine->feed = feed;
        atomic_fetch_add(&engine->references, 1);
    }
    pthread_mutex_unlock(&engine->lock);
    if (status < 0) {
        ddf_sys_notifier_close(feed->notifier);
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
    ddf_sys_notifier_close(feed->notifier);
    ddf_work_unref(feed->engine);
    free(feed);
}

void ddf_feed_close(ddf_feed *feed) {
    ddf_engine *engine = feed->engine;
    pthread_mutex_lock(&engine->lock);
    if (engine->feed == feed) {
        engine->feed = NULL;
        while (engine->outside.head != NULL) {
            ddf_work_cancel(engine, engine->outside.head);
        }
    }
    pthread_mutex_unlock(&engine->lock);
}

void ddf_feed_release(ddf_feed *feed) {
    if (feed != NULL) {
        ddf_feed_close(feed);
        unref(feed);
    }
}

/* The next piece of the first job outside. Call with the engine's lock held. */
static ddf_feed_piece take_one(ddf_engine *engine) {
    ddf_job *job = engine->outside.head;
    size_t number = ddf_work_take_missed(&engine->outside, job);
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
    pthread_mutex_lock(&engine->lock);
    while (n < most && engine->feed == feed && engine->outside.head != NULL) {
        pieces[n++] = take_one(engine);
    }
    atomic_fetch_add(&feed->references, n);
    pthread_mutex_unlock(&engine->lock);
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
    return job->status < 0 || feed->engine->stopping || feed->engine->feed != feed;
}

void ddf_feed_end(ddf_feed *feed, const ddf_feed_piece *piece, int status, const char *reason) {
    ddf_engine *engine = feed->engine;
    ddf_job *job = piece->job;
    ddf_err err = {0};
    pthread_mutex_lock(&engine->lock);
    if (status < 0) {
        (void)ddf_fail(&err, status, keep_reason(job, reason), piece->shard, piece->position);
    } else if (is_given_up(feed, job)) {
        status = ddf_work_given_up(&err);
    }
    ddf_work_hand_in(engine, job, status, &err);
    pthread_mutex_unlock(&engine->lock);
    unref(feed);
}

int ddf_feed_is_given_up(ddf_feed *feed, const ddf_feed_piece *piece) {
    ddf_engine *engine = feed->engine;
    pthread_mutex_lock(&engine->lock);
    int given_up = is_given_up(feed, piece->job);
    pthread_mutex_unlock(&engine->lock);
    return given_up;
}

int ddf_feed_fd(const ddf_feed *feed) { return feed->notifier[0]; }

void ddf_feed_arm(ddf_feed *feed) { atomic_store(&feed->armed, 1); }

void ddf_feed_clear(ddf_feed *feed) { ddf_sys_notifier_clear(feed->notifier); }

void ddf_feed_call(ddf_feed *feed) {
    if (feed != NULL && atomic_exchange(&feed->armed, 0)) {
        ddf_sys_notifier_raise(feed->notifier);
    }
}
