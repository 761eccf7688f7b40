#include "ddf_arena.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ddf_sys.h"

#define BLOCK_STEP ((size_t)64 << 10)

/* From here on blocks are whole large pages: Linux aligns only those, so that they are in large pages throughout. */
#define LARGE_BLOCK ((size_t)16 << 20)
#define LARGE_STEP ((size_t)2 << 20)

/* Batches of a dataset differ by a few percent. With so large a part to spare, the block of one does for the others. What
 * is never touched takes no memory. */
#define SPARE 32

/* A free block is taken for a request down to a quarter of its size: batches differ, and fresh pages cost more. */
#define LARGEST_WASTE 4

typedef struct block {
    struct block *next;
    uint8_t *memory;
    size_t size;
} block;

struct ddf_pool {
    pthread_mutex_t lock;
    block *free;
    uint64_t limit, used, kept;
    int64_t process; /* that made it */
    atomic_size_t references;
};

struct ddf_arena {
    ddf_pool *pool;
    block *blocks; /* the first one is the one that is being filled */
    size_t filled;
    uint64_t size;
    atomic_size_t references;
};

static void block_free(block *b) {
    ddf_sys_memory_free(b->memory, b->size);
    free(b);
}

static block *block_new(size_t size) {
    block *b = malloc(sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    b->memory = ddf_sys_memory(size);
    b->size = size;
    b->next = NULL;
    if (b->memory == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

int ddf_pool_new(uint64_t limit, ddf_pool **out) {
    ddf_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return -ENOMEM;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pool->limit = limit;
    pool->process = ddf_sys_process();
    atomic_init(&pool->references, 1);
    *out = pool;
    return DDF_OK;
}

/* Whether this is a child that was forked since. A thread that does not exist in the child may have held the lock. */
static int is_foreign(const ddf_pool *pool) { return pool->process != ddf_sys_process(); }

void ddf_pool_retain(ddf_pool *pool) { atomic_fetch_add(&pool->references, 1); }

void ddf_pool_release(ddf_pool *pool) {
    if (pool == NULL || atomic_fetch_sub(&pool->references, 1) != 1 || is_foreign(pool)) {
        return;
    }
    for (block *b = pool->free; b != NULL;) {
        block *next = b->next;
        block_free(b);
        b = next;
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static uint64_t read_locked(ddf_pool *pool, const uint64_t *value) {
    pthread_mutex_lock(&pool->lock);
    uint64_t copy = *value;
    pthread_mutex_unlock(&pool->lock);
    return copy;
}

uint64_t ddf_pool_used(ddf_pool *pool) { return read_locked(pool, &pool->used); }

uint64_t ddf_pool_kept(ddf_pool *pool) { return read_locked(pool, &pool->kept); }

/* The smallest free block that fits without too much waste; unlinked, or NULL. Call with the lock held. */
static block *pool_find(ddf_pool *pool, size_t size) {
    block **best = NULL;
    for (block **at = &pool->free; *at != NULL; at = &(*at)->next) {
        size_t have = (*at)->size;
        if (have >= size && have / LARGEST_WASTE <= size && (best == NULL || have < (*best)->size)) {
            best = at;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    block *found = *best;
    *best = found->next;
    pool->kept -= found->size;
    return found;
}

/* Unlink free blocks until `size` more bytes fit the limit; the caller frees the returned list without the lock. */
static block *pool_evict(ddf_pool *pool, size_t size) {
    block *evicted = NULL;
    while (pool->free != NULL && pool->used + pool->kept + size > pool->limit) {
        block *b = pool->free;
        pool->free = b->next;
        pool->kept -= b->size;
        b->next = evicted;
        evicted = b;
    }
    return evicted;
}

static void blocks_free(block *b) {
    while (b != NULL) {
        block *next = b->next;
        block_free(b);
        b = next;
    }
}

/* How large a new block for `size` bytes is made. */
static size_t size_of_block(size_t size) {
    size_t step = size < LARGE_BLOCK ? BLOCK_STEP : LARGE_STEP;
    return (size + size / SPARE) / step * step + step;
}

static block *pool_take(ddf_pool *pool, size_t size) {
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    block *evicted = NULL;
    block *b = pool_find(pool, size);
    if (b == NULL) {
        size = size_of_block(size);
        evicted = pool_evict(pool, size);
    }
    pool->used += b == NULL ? size : b->size;
    pthread_mutex_unlock(&pool->lock);
    blocks_free(evicted);
    if (b != NULL) {
        return b;
    }
    b = block_new(size);
    if (b == NULL) {
        pthread_mutex_lock(&pool->lock);
        pool->used -= size;
        pthread_mutex_unlock(&pool->lock);
    }
    return b;
}

static void pool_give(ddf_pool *pool, block *b) {
    if (is_foreign(pool)) {
        block_free(b);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->used -= b->size;
    int keep = b->size <= pool->limit && pool->used + pool->kept <= pool->limit;
    if (keep) {
        b->next = pool->free;
        pool->free = b;
        pool->kept += b->size;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!keep) {
        block_free(b);
    }
}

static int arena_grow(ddf_arena *arena, size_t size) {
    block *b = pool_take(arena->pool, size);
    if (b == NULL) {
        return -ENOMEM;
    }
    b->next = arena->blocks;
    arena->blocks = b;
    arena->filled = 0;
    arena->size += b->size;
    return DDF_OK;
}

int ddf_arena_new(ddf_pool *pool, size_t size, ddf_arena **out) {
    ddf_arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL) {
        return -ENOMEM;
    }
    arena->pool = pool;
    atomic_init(&arena->references, 1);
    int status = arena_grow(arena, size);
    if (status < 0) {
        free(arena);
        return status;
    }
    ddf_pool_retain(pool);
    *out = arena;
    return DDF_OK;
}

void ddf_arena_retain(ddf_arena *arena) { atomic_fetch_add(&arena->references, 1); }

void ddf_arena_release(ddf_arena *arena) {
    if (arena == NULL || atomic_fetch_sub(&arena->references, 1) != 1) {
        return;
    }
    ddf_pool *pool = arena->pool;
    for (block *b = arena->blocks; b != NULL;) {
        block *next = b->next;
        pool_give(pool, b);
        b = next;
    }
    free(arena);
    ddf_pool_release(pool);
}

/* First position from `filled` on that is congruent to `offset`. Blocks are page-aligned, so positions are too. */
static size_t align_up(size_t filled, size_t align, size_t offset) {
    return filled + ((offset - filled) & (align - 1));
}

void *ddf_arena_alloc(ddf_arena *arena, size_t size, size_t align, size_t offset) {
    size_t at = align_up(arena->filled, align, offset);
    if (at > arena->blocks->size || size > arena->blocks->size - at) {
        if (size > SIZE_MAX - align || arena_grow(arena, size + align) < 0) {
            return NULL;
        }
        at = align_up(0, align, offset);
    }
    arena->filled = at + size;
    return arena->blocks->memory + at;
}

uint64_t ddf_arena_size(const ddf_arena *arena) { return arena->size; }
