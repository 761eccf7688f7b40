/* ddf_engine: the queue of reads of one reader, and the threads that work on it.
 *
 * A job is one group of batches: prepare (plan the reads, get the memory), read, finish (build the tables). All jobs
 * share one queue of pieces, so the number of reads in flight does not depend on the batch size. Data in the page cache
 * is copied by at most as many threads as there are processors. Data on disks and mounts is read by up to `queue_depth`
 * threads, which are started when needed, or by one thread with io_uring until a read fails with a transient error.
 * Remote data is read outside of the engine, see ddf_remote_queue. The thread that ends the last piece of a job
 * finishes it.
 *
 * A blocked thread can wait for a job, or an event loop that watches one descriptor, see ddf_notifier. The states of
 * jobs and threads are described in ddf_job.h and ddf_core.h. All calls are thread safe; none may be made after a
 * fork. */
#ifndef DDF_ENGINE_H
#define DDF_ENGINE_H

#include "ddf_job.h"

/* How to wait for storage. */
typedef enum ddf_io {
    DDF_IO_AUTO, /* threads: io_uring was not measured to be faster */
    DDF_IO_THREADS,
    DDF_IO_URING,
    DDF_IO_DIRECT, /* threads that bypass the page cache, if the file system supports that */
} ddf_io;

/* At most `queue_depth` reads are in flight (1 to 1024; 0: a limit that adapts, see ddf_limit; 32 with io_uring), and
 * `ready_threads` threads may copy ready data at once (0: one per processor). Threads start with the first job. Returns
 * 0 or -errno; with DDF_IO_URING also the errors of ddf_uring_new. */
int ddf_engine_new(size_t queue_depth, size_t ready_threads, ddf_io io, ddf_engine **out);

/* Queue a job. The engine uses it until it has called `drop`, which it does in any case. If no thread can be started,
 * the job fails with that -errno. */
void ddf_engine_submit(ddf_engine *engine, ddf_job *job);

/* Run a job in the calling thread: copy the ready data, queue the missed pieces, and wait for them at most
 * `timeout_ms`. If no thread can be started, the calling thread reads everything, however long that takes. Returns 0
 * when the job is done, -EAGAIN while pieces are still being read. */
int ddf_engine_run(ddf_engine *engine, ddf_job *job, int timeout_ms);

/* Cancel a job that was submitted or run: reads that were not started are left out, and the job ends with
 * DDF_E_CANCELLED. Waits for a preparation as long as that uses memory of the caller, but not for reads and not for
 * `finish`. The caller holds a reference to the job. */
void ddf_engine_cancel(ddf_engine *engine, ddf_job *job);

/* 1 with DDF_IO_DIRECT: no data counts as ready, and the address of each read should be congruent to its position in
 * the file modulo DDF_DIRECT_BLOCK, in whole blocks of memory that no other read uses. */
int ddf_engine_is_direct(const ddf_engine *engine);

/* Called by `prepare`, at most once, when it uses no memory of the job's owner any more. If it may wait for storage
 * from then on, its thread does not count as one that copies: another one may copy instead. */
void ddf_engine_detach(ddf_engine *engine, ddf_job *job, int may_wait);

/* Wait until the job is done, or `timeout_ms` have passed. Returns 0, or -EAGAIN if it is not done. */
int ddf_engine_wait(ddf_engine *engine, ddf_job *job, int timeout_ms);

/* The descriptor that becomes readable when a job completes after ddf_engine_arm. */
int ddf_engine_fd(const ddf_engine *engine);
void ddf_engine_arm(ddf_engine *engine);
void ddf_engine_clear(ddf_engine *engine);

/* Number of pieces that were read: the count does not grow while storage does not respond. */
uint64_t ddf_engine_progress(ddf_engine *engine);
size_t ddf_engine_threads(ddf_engine *engine);

/* Cancel all jobs and end the threads, waiting at most `timeout_ms` for reads that do not return.
 * Returns 0, or -EAGAIN if a thread is still in such a read: it ends when the read does. */
int ddf_engine_stop(ddf_engine *engine, int timeout_ms);

/* Stop without waiting, and release the caller's reference. The last thread that ends frees the engine. */
void ddf_engine_release(ddf_engine *engine);

#endif
