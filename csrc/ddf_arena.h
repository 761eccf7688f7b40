/* ddf_arena: aligned, reusable, reference-counted memory of a group of batches.
 *
 * Fresh pages cost more than the copy into them, so blocks are returned to a pool and reused. A pool is shared by
 * all streams of a reader and may be used from any thread. An arena has one writer at a time (the thread that works
 * on it); its reference count may change from any thread. Allocated memory stays in place until the last
 * reference of the arena is released.
 *
 * A forked child may read and release the arenas of its parent, and release the pool, but nothing else: the pool's
 * lock may be held by a thread that the child does not have. Memory that the child releases is returned to the
 * system. */
#ifndef DDF_ARENA_H
#define DDF_ARENA_H

#include "ddf_common.h"

typedef struct ddf_pool ddf_pool;
typedef struct ddf_arena ddf_arena;

/* A pool that keeps free blocks for reuse as long as used and free blocks together stay within `limit` bytes, except
 * the block that was released last: a consumer of one batch with others fetched ahead uses that much at a time.
 * The pool starts with one reference; every arena made from it holds one more. Returns 0 or -ENOMEM. */
int ddf_pool_new(uint64_t limit, ddf_pool **out);
void ddf_pool_retain(ddf_pool *pool);
void ddf_pool_release(ddf_pool *pool);

/* Bytes of blocks that live arenas hold, and of free blocks kept for reuse. */
uint64_t ddf_pool_used(ddf_pool *pool);
uint64_t ddf_pool_kept(ddf_pool *pool);

/* An arena whose first block holds at least `size` bytes. Starts with one reference. Returns 0 or -ENOMEM. */
int ddf_arena_new(ddf_pool *pool, size_t size, ddf_arena **out);
void ddf_arena_retain(ddf_arena *arena);
void ddf_arena_release(ddf_arena *arena);

/* `size` bytes at an address congruent to `offset` modulo `align`, a power of two up to 4096. The memory is not
 * zeroed. NULL: the system has no memory left. */
void *ddf_arena_alloc(ddf_arena *arena, size_t size, size_t align, size_t offset);

/* Bytes of the blocks this arena holds. */
uint64_t ddf_arena_size(const ddf_arena *arena);

#endif
