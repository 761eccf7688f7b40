/* ddf_job: one group of reads on its way through an engine: its pieces, how they are read a share at a time, and lists
 * of jobs. Knows no threads and takes no lock: the engine calls each of these where it may. */
#ifndef DDF_JOB_H
#define DDF_JOB_H

#include <stdatomic.h>

#include "ddf_arena.h"
#include "ddf_plan.h"
#include "ddf_shards.h"

/* A thread takes ready pieces up to this many bytes or pieces before it looks at the queue again. */
#define DDF_SHARE_BYTES ((uint64_t)1 << 20)
#define DDF_SHARE_PIECES 64

typedef struct ddf_engine ddf_engine;
typedef struct ddf_job ddf_job;

struct ddf_job {
    /* Set by the owner before submission. */
    int (*prepare)(ddf_job *job, ddf_engine *engine); /* fills what follows; status 0 or negative */
    void (*finish)(ddf_job *job); /* called once, after the last piece or the first failure; `status` is set */
    void (*drop)(ddf_job *job);   /* called once when the engine is done with the job; it may free it */

    /* Borrowed. Set before submission or, where callers that wait for a job shall not prepare it, by prepare. */
    ddf_shards *shards;

    /* Set by prepare. */
    ddf_read *pieces;   /* offsets are addresses; changed by the engine: a piece shrinks as it is read */
    uint32_t *missed;   /* room for n_pieces numbers */
    ddf_file **held;    /* room for n_pieces files */
    size_t n_pieces;
    ddf_access access; /* how they are read where nothing else is asked of the engine */
    uint8_t *base;    /* where landing position 0 is */
    ddf_arena *arena; /* which that lies in, or NULL: for who holds on to the memory of a piece */

    /* NULL, or called when a piece is complete, as long as its bytes are in the cache of the thread that read them. Not
     * called for pieces that a ring or a feed reads. Not under the lock; for several pieces at a time, but once a piece. */
    void (*landed)(ddf_job *job, size_t piece);

    /* Results. */
    atomic_int done; /* 1 once finish has returned */
    int status;      /* of the whole job, valid when done */
    ddf_err err;     /* of a read: item = shard, pos = position in its data file */
    uint64_t waited; /* bytes that were not ready and had to be waited for */

    /* The engine's own. */
    ddf_job *next;
    uint64_t number; /* of its submission, from 1; 0: run by its caller */
    size_t taken, running, n_missed, missed_taken;
    int prepared, preparing, looking, counted, away, cancelled, finishing;
};

/* Begin: all but what the owner sets before submission. */
void ddf_job_init(ddf_job *job);

/* 1 if there is something that no thread has taken yet. */
int ddf_job_has_work_left(const ddf_job *job);

/* Note a failure; the first one counts. */
void ddf_job_fail(ddf_job *job, int status, const ddf_err *err);

/* Which pieces one share takes: [first, last). */
typedef struct ddf_share {
    size_t first, last;
} ddf_share;

ddf_share ddf_job_take_ready(ddf_job *job);

/* Copy the ready part of a share's pieces. Those that are not complete go to `missed` (room for DDF_SHARE_PIECES), their
 * number to `n`. Returns 0, or a status with err->item = shard. */
int ddf_job_read_ready(ddf_job *job, ddf_share share, uint32_t *missed, size_t *n, ddf_err *err);

/* Read one piece, waiting, past the page cache if `direct`, and again where that may help until `*stop` is set. Returns as
 * above. */
int ddf_job_read_waiting(ddf_job *job, const ddf_read *piece, int direct, const atomic_int *stop, ddf_err *err);

/* Lists, singly linked through job->next; a job is in at most one of them. */
typedef struct ddf_jobs {
    ddf_job *head, *tail;
} ddf_jobs;

void ddf_jobs_push(ddf_jobs *jobs, ddf_job *job);
void ddf_jobs_push_front(ddf_jobs *jobs, ddf_job *job);
void ddf_jobs_insert(ddf_jobs *jobs, ddf_job *job);  /* before those that were submitted later */
ddf_job *ddf_jobs_pop(ddf_jobs *jobs);             /* there must be one */
int ddf_jobs_unlink(ddf_jobs *jobs, ddf_job *job); /* 1 if it was there */

#endif
