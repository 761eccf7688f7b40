/* ddf_feed: hands the pieces of remote shards to a reader outside the engine, and takes them back when they are read.
 *
 * The outside reader watches one descriptor, takes pieces, fills their memory in any order and in its own time, and ends
 * each of them exactly once, filled or failed. A job that is cancelled meanwhile marks its pieces as given up, but waits
 * for them: their memory stays valid until they are ended, whatever becomes of the job, its owner and the engine. An
 * engine that is stopped does not wait for them; the feed keeps it alive until the last one is ended.
 * Ending a piece takes no longer than telling so: a worker of the engine builds what is made of the last one.
 * All calls are thread safe, none may be made after a fork. */
#ifndef DDF_FEED_H
#define DDF_FEED_H

#include "ddf_arena.h"
#include "ddf_job.h"

typedef struct ddf_feed ddf_feed;

/* What to read, and where to. */
typedef struct ddf_feed_piece {
    size_t shard;
    uint64_t position, length; /* in its data file */
    uint8_t *data;             /* `length` bytes, to be written until the piece is ended */
    ddf_arena *arena;          /* which they lie in, with a reference for the taker to release, or NULL */
    ddf_job *job;              /* these two are the feed's own */
    size_t number;
} ddf_feed_piece;

/* The feed of an engine, which has one at a time; to be made before any job with remote shards is submitted: without a
 * feed those fail with -ENOTSUP. Returns 0, -errno, or -EBUSY if there is one. */
int ddf_feed_new(ddf_engine *engine, ddf_feed **out);

/* Take no more pieces: jobs that have some left are cancelled, and those to come fail. What is taken is still to be
 * ended. */
void ddf_feed_close(ddf_feed *feed);

/* Close, and give up the caller's reference. The last piece to end frees the feed. */
void ddf_feed_release(ddf_feed *feed);

/* Take up to `most` pieces, those first that were asked for first. Returns how many. */
size_t ddf_feed_take(ddf_feed *feed, ddf_feed_piece *pieces, size_t most);

/* End a piece that was taken: `status` is 0 if all of its memory is filled, else a status as in ddf_common.h, with which
 * the whole job fails; `reason` says why, and is copied (where the job has no arena it must be static; or NULL). */
void ddf_feed_end(ddf_feed *feed, const ddf_feed_piece *piece, int status, const char *reason);

/* 1 if nobody waits any more for a piece that was taken and is not ended: it need not be filled, whatever it is ended
 * with. Once 1, it stays so. */
int ddf_feed_is_given_up(ddf_feed *feed, const ddf_feed_piece *piece);

/* The descriptor that turns readable when, after ddf_feed_arm, there are pieces to take, or some may have been given up.
 * Arm, look once more, then sleep. */
int ddf_feed_fd(const ddf_feed *feed);
void ddf_feed_arm(ddf_feed *feed);
void ddf_feed_clear(ddf_feed *feed);

#endif
