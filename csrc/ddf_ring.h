/* ddf_ring: the engine's thread that waits for storage with io_uring, instead of many threads. */
#ifndef DDF_RING_H
#define DDF_RING_H

/* Body of the thread; the argument is the engine. */
void *ddf_ring_run(void *engine);

#endif
