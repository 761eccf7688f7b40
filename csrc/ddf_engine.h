/* ddf_engine: the queue of reads of one reader, and the threads that work on it.
 *
 * A job is one group of batches: prepare (plan the reads, get the memory), read, finish (build the tables). All jobs
 * share one queue of pieces, so the number of reads in flight does not depend on the batch size. What the page cache
 * holds is copied by at most as many threads as there are processors; what storage must be waited for is read by up to
 * `queue_depth` threads, which are started when needed, or by one thread with io_uring, until a read fails that may
 * pass; what is remote is read by others, see ddf_remote_queue. The thread that ends a job's last piece finishes it.
 *
 * A completed job can be waited for by a blocked thread, or by an event loop that watches one descriptor: arm, look once
 * more, then sleep until the descriptor is readable. All calls are thread safe, none may be made after a fork. */
#ifndef DDF_ENGINE_H
#define DDF_ENGINE_H

#include "ddf_job.h"

/* How to wait for storage. */
typedef enum ddf_io {
    DDF_IO_AUTO, /* threads: io_uring was not measured to be faster */
    DDF_IO_THREADS,
    DDF_IO_URING,
    DDF_IO_DIRECT, /* threads, past the page cache where the file system does that */
} ddf_io;

/* `queue_depth` reads in flight at most (1 to 1024; 0: as many as are of use, see ddf_limit; 32 with io_uring),
 * `ready_threads` of them may copy ready data at once (0: one a processor). Threads start with the first job. Returns 0
 * or -errno; with DDF_IO_URING those of ddf_uring_new too. */
int ddf_engine_new(size_t queue_depth, size_t ready_threads, ddf_io io, ddf_engine **out);

/* Queue a job. It is the engine's until `drop` is called, whatever happens. Where no thread can be started the job fails
 * with the -errno of that. */
void ddf_engine_submit(ddf_engine *engine, ddf_job *job);

/* Work on a job in the calling thread: copy all that is ready, queue what has to be waited for, and wait for it at most
 * `timeout_ms`. Where no thread can be started this one does all, and waits as long as it takes. Returns 0 when the job is
 * done, -EAGAIN while pieces are still being read. */
int ddf_engine_run(ddf_engine *engine, ddf_job *job, int timeout_ms);

/* Give a job up: what has not been started is left out, and the job ends with DDF_E_CANCELLED. Waits for a preparation
 * as long as that looks at what the caller owns, but for no read and for no finish. The caller holds a reference of its
 * own, and has submitted or run the job before. */
void ddf_engine_cancel(ddf_engine *engine, ddf_job *job);

/* 1 with DDF_IO_DIRECT: nothing is taken to be ready, and reads should land at addresses that are congruent to where they
 * are in the file, modulo DDF_DIRECT_BLOCK, with whole blocks of memory to themselves. */
int ddf_engine_is_direct(const ddf_engine *engine);

/* Called by a preparation that looks at nothing of the caller's any more. One that may wait for storage from here on does
 * not count as a thread at work: others go on without it. */
void ddf_engine_detach(ddf_engine *engine, ddf_job *job, int may_wait);

/* Wait until the job is done, or `timeout_ms` are over. Returns 0, or -EAGAIN if it is not done. */
int ddf_engine_wait(ddf_engine *engine, ddf_job *job, int timeout_ms);

/* The descriptor that turns readable when a job completes after ddf_engine_arm. */
int ddf_engine_fd(const ddf_engine *engine);
void ddf_engine_arm(ddf_engine *engine);
void ddf_engine_clear(ddf_engine *engine);

/* Pieces that threads have completed so far: a count that stands still shows that storage does. */
uint64_t ddf_engine_progress(ddf_engine *engine);
size_t ddf_engine_threads(ddf_engine *engine);

/* Give all jobs up and let the threads end, waiting at most `timeout_ms` for reads that are stuck in the system.
 * Returns 0, or -EAGAIN if a thread is still in such a read: it ends by itself later. */
int ddf_engine_stop(ddf_engine *engine, int timeout_ms);

/* Stop without waiting, and give up the caller's reference. The last thread to end frees the engine. */
void ddf_engine_release(ddf_engine *engine);

#endif
