/* ddf_job: one group of reads in an engine: its state, its pieces, how they are read a share at a time,
 * and lists of jobs. Starts no threads and takes no lock: the caller holds the engine's lock if the comment of a
 * function says so.
 *
 *   NEW --submit--> QUEUED --taken--> PREPARING --detach--> DETACHED
 *    |                |                 |  |                  |  |
 *    +------run-------|-----------------+  +------------------+  |
 *                     |                 |                        |
 *                     |                 +--- pieces to read ---> READY --missed--> WAITING or REMOTE
 *                     |                 |                          |                 |        ^
 *                     +--- cancelled ---+---- nothing to read -----+--- all taken ---+        | (WAITING only)
 *                                       v                          v                 v        |
 *                                       +------------------------> DRAINING -------------------+
 *                                                                  |      |
 *                                                    last share ended    READ (a worker is to finish it)
 *                                                                  v      v
 *                                                                  FINISHING --> DONE
 *
 * ddf_job.c holds the table of all transitions: who makes each of them, and when. */
#ifndef DDF_JOB_H
#define DDF_JOB_H

#include <stdatomic.h>

#include "ddf_arena.h"
#include "ddf_plan.h"
#include "ddf_shards.h"

/* A thread takes ready pieces up to this many bytes or pieces at a time. */
#define DDF_SHARE_BYTES ((uint64_t)1 << 20)
#define DDF_SHARE_PIECES 64

typedef struct ddf_engine ddf_engine;
typedef struct ddf_thread ddf_thread;
typedef struct ddf_job ddf_job;

/* A share is a part of a job that one thread works on: its preparation, some of its pieces, or one missed piece.
 * The state determines which of the engine's lists a job is in. */
typedef enum ddf_job_state {
    DDF_JOB_NEW,       /* in no list: no engine has it */
    DDF_JOB_QUEUED,    /* in `fresh`: to be prepared */
    DDF_JOB_PREPARING, /* in no list: a thread runs `prepare`, which may use memory of the job's owner */
    DDF_JOB_DETACHED,  /* in no list: the same, but it uses no memory of the owner any more */
    DDF_JOB_READY,     /* in `fresh`: pieces are left that no thread has tried to copy */
    DDF_JOB_WAITING,   /* in `waiting`: all pieces were tried, missed ones are left for threads or the ring of the engine */
    DDF_JOB_REMOTE,    /* in `remote`: the same, left for the remote reader */
    DDF_JOB_DRAINING,  /* in no list: nothing is left to take, running shares are to end */
    DDF_JOB_READ,      /* in `ended`: everything is read, a worker is to end the last share */
    DDF_JOB_FINISHING, /* in no list: a thread runs `finish`; the job cannot be cancelled any more */
    DDF_JOB_DONE,      /* in no list: the engine does not use the job any more, except for calling `drop` */
    DDF_JOB_STATES     /* number of states */
} ddf_job_state;

struct ddf_job {
    /* Set by the owner before submission. */
    int (*prepare)(ddf_job *job, ddf_engine *engine); /* sets the fields below; returns 0 or a negative status */
    void (*finish)(ddf_job *job); /* called once, after the last piece or the first failure; `status` is set */
    void (*drop)(ddf_job *job);   /* called once when the engine is done with the job; it may free it */

    /* Borrowed. Set before submission, which allows callers that wait to prepare the job, or else by `prepare`. */
    ddf_shards *shards;

    /* Set by prepare. */
    ddf_read *pieces;   /* offsets are addresses; changed by the engine: a piece shrinks as it is read */
    uint32_t *missed;   /* room for n_pieces numbers */
    ddf_file **held;    /* room for n_pieces files */
    size_t n_pieces;
    ddf_access access; /* how they are read, unless the engine reads directly */
    uint8_t *base;    /* address of position 0 of the destination */
    ddf_arena *arena; /* that contains `base`, or NULL: the remote reader retains it for each piece */

    /* NULL, or called once for each complete piece by the thread that read it, while the bytes are in its cache; without the
     * lock, and by several threads at a time. Not called for pieces that the ring or the remote reader reads. */
    void (*piece_read)(ddf_job *job, size_t piece);

    /* Results. */
    int status;      /* of the whole job, valid when done */
    ddf_err err;     /* of a read: item = shard, pos = position in its data file */
    uint64_t waited; /* bytes that were not ready */

    /* Used by the engine only. */
    atomic_int state; /* a ddf_job_state, written by ddf_job_move alone; under the lock, except for ddf_job_is_done */
    /* A request, not a state: it may come at any time before FINISHING, and has an effect only at the next transition. */
    int cancelled;
    ddf_thread *preparer; /* the thread that runs `prepare`, or NULL */
    ddf_job *next;
    uint64_t number; /* of its submission, from 1; 0: run by its caller */
    size_t taken, running, n_missed, missed_taken; /* pieces, shares, pieces, of the missed pieces */
};

/* Set the state DDF_JOB_NEW, and all fields that the owner does not set before submission. */
void ddf_job_init(ddf_job *job);

/* Call with the lock held. */
static inline ddf_job_state ddf_job_get_state(const ddf_job *job) {
    return (ddf_job_state)atomic_load_explicit(&job->state, memory_order_relaxed);
}

/* 1 if the table of transitions contains this one. */
int ddf_job_may_move(ddf_job_state from, ddf_job_state to);

/* Change the state; a transition that is not in the table aborts the program in a build with DDF_CHECKS. Call with the
 * lock held. */
void ddf_job_move(ddf_job *job, ddf_job_state to);

/* 1 once `finish` has returned; the results are valid then. Needs no lock. */
int ddf_job_is_done(const ddf_job *job);

/* 1 while a thread runs `prepare`. Call with the lock held. */
static inline int ddf_job_is_in_preparation(const ddf_job *job) {
    ddf_job_state state = ddf_job_get_state(job);
    return state == DDF_JOB_PREPARING || state == DDF_JOB_DETACHED;
}

/* Abort the program in a build with DDF_CHECKS if the state and the other fields of a job contradict each other. Call
 * with the lock held. */
#ifdef DDF_CHECKS
void ddf_job_check(const ddf_job *job);
#else
static inline void ddf_job_check(const ddf_job *job) { (void)job; }
#endif

/* Leave out all pieces that no thread has taken: the job, which is in no list, moves to DDF_JOB_DRAINING. */
void ddf_job_skip_rest(ddf_job *job);

/* Note a failure; the first one counts. */
void ddf_job_fail(ddf_job *job, int status, const ddf_err *err);

/* The pieces of one share: [first, last). */
typedef struct ddf_share {
    size_t first, last;
} ddf_share;

/* Take the next share of a job that is DDF_JOB_READY. */
ddf_share ddf_job_take_ready(ddf_job *job);

/* Copy the ready part of a share's pieces. Those that are not complete go to `missed` (room for DDF_SHARE_PIECES),
 * their number to `n`. Returns 0, or a status with err->item = shard. */
int ddf_job_read_ready(ddf_job *job, ddf_share share, uint32_t *missed, size_t *n, ddf_err *err);

/* Read one piece, waiting; bypass the page cache if `direct`. Retry after transient errors until `*stop` is set.
 * Returns as above. */
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
