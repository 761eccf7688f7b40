/* ddf_worker: what one thread does for the jobs of an engine, a share at a time: the body of the engine's threads, and
 * the steps of a caller that waits. Functions are called with the engine's lock held, hold it when they return, and
 * release it meanwhile, so that a job may be gone afterwards unless the caller holds it. */
#ifndef DDF_WORKER_H
#define DDF_WORKER_H

#include "ddf_core.h"

/* Body of a thread that takes any work; the argument is the engine. Without the lock. */
void *ddf_worker_run(void *engine);

/* Run the preparation of a job as a separate share. */
void ddf_worker_prepare(ddf_engine *engine, ddf_thread *self, ddf_job *job);

/* Do one step of a job that the calling thread runs. Returns 0 if it can only wait. */
int ddf_worker_step_for(ddf_engine *engine, ddf_thread *self, ddf_job *job);

/* Do one step of any job that needs no waiting: a caller that waits has a processor. Returns 0 if there is none. */
int ddf_worker_help(ddf_engine *engine, ddf_thread *self);

#endif
