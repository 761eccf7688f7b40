/* ddf_remote_queue: the pieces of remote shards, queued for a reader outside of the engine.
 *
 * The remote reader watches one descriptor, acquires pieces, fills their memory in any order, and completes each of
 * them exactly once, filled or failed. When a job is cancelled, its pieces are marked as cancelled, and the job waits
 * for them: their memory stays valid until they are completed, even if the job, its owner or the engine no longer
 * exists. An engine that is stopped does not wait for them; the queue keeps its memory until the last piece is
 * completed.
 * Completing a piece is fast: a worker of the engine builds the tables after the last one.
 * All calls are thread safe; none may be made after a fork. */
#ifndef DDF_REMOTE_QUEUE_H
#define DDF_REMOTE_QUEUE_H

#include "ddf_arena.h"
#include "ddf_job.h"

typedef struct ddf_remote_queue ddf_remote_queue;

/* A range to read, and its destination. */
typedef struct ddf_remote_piece {
    size_t shard;
    uint64_t position, length; /* in its data file */
    uint8_t *data;             /* `length` bytes, to be written until the piece is completed */
    ddf_arena *arena;          /* that contains them, with a reference that the reader releases; or NULL */
    ddf_job *job;              /* internal */
    size_t number;             /* internal */
} ddf_remote_piece;

/* The queue of an engine, which has one at a time. Create it before a job with remote shards is submitted: without a
 * queue such jobs fail with -ENOTSUP. Returns 0, -errno, or -EBUSY if there is one. */
int ddf_remote_queue_new(ddf_engine *engine, ddf_remote_queue **out);

/* Return no more pieces: jobs that have some left are cancelled, and later ones fail. Acquired pieces still have to be
 * completed. */
void ddf_remote_queue_close(ddf_remote_queue *queue);

/* Close, and release the caller's reference. The last piece that is completed frees the queue. */
void ddf_remote_queue_release(ddf_remote_queue *queue);

/* Acquire up to `most` pieces, in the order of submission. Returns how many. */
size_t ddf_remote_queue_acquire(ddf_remote_queue *queue, ddf_remote_piece *pieces, size_t most);

/* Complete a piece: `status` is 0 if all of its memory is filled, else a status as in ddf_common.h, with which the
 * whole job fails; `reason` is the message of the error, or NULL. It is copied if the job has an arena, and static
 * otherwise. */
void ddf_remote_queue_complete(ddf_remote_queue *queue, const ddf_remote_piece *piece, int status, const char *reason);

/* 1 if an acquired piece that is not completed is not needed any more: it has to be completed, but not to be filled. It
 * stays 1 from then on. */
int ddf_remote_queue_is_cancelled(ddf_remote_queue *queue, const ddf_remote_piece *piece);

/* The descriptor that becomes readable when, after ddf_remote_queue_arm, there are pieces to acquire, or some may have
 * been cancelled; see ddf_notifier. */
int ddf_remote_queue_fd(const ddf_remote_queue *queue);
void ddf_remote_queue_arm(ddf_remote_queue *queue);
void ddf_remote_queue_clear(ddf_remote_queue *queue);

#endif
