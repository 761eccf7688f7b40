#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ddf_arena.h"

#define MIB ((size_t)1 << 20)

static ddf_pool *pool_of(uint64_t limit) {
    ddf_pool *pool;
    assert(ddf_pool_new(limit, &pool) == 0);
    return pool;
}

static ddf_arena *arena_of(ddf_pool *pool, size_t size) {
    ddf_arena *arena;
    assert(ddf_arena_new(pool, size, &arena) == 0);
    return arena;
}

static void memory_lands_congruent_to_its_offset(void) {
    ddf_pool *pool = pool_of(64 * MIB);
    ddf_arena *arena = arena_of(pool, 1000);
    for (size_t align = 1; align <= 4096; align *= 2) {
        for (size_t offset = 0; offset < 100000; offset += 7777) {
            uint8_t *memory = ddf_arena_alloc(arena, 10000, align, offset);
            assert(memory != NULL && ((uintptr_t)memory - offset) % align == 0);
            memset(memory, (int)align, 10000);
        }
    }
    ddf_arena_release(arena);
    ddf_pool_release(pool);
}

static void allocations_do_not_overlap_or_move(void) {
    ddf_pool *pool = pool_of(64 * MIB);
    ddf_arena *arena = arena_of(pool, 0);
    uint8_t *parts[300];
    for (size_t i = 0; i < 300; i++) {
        parts[i] = ddf_arena_alloc(arena, 997, 8, 0);
        assert(parts[i] != NULL);
        memset(parts[i], (int)(i & 0xff), 997);
    }
    for (size_t i = 0; i < 300; i++) {
        assert(parts[i][0] == (i & 0xff) && parts[i][996] == (i & 0xff));
    }
    assert(ddf_arena_size(arena) >= (size_t)300 * 997 && ddf_arena_size(arena) == ddf_pool_used(pool));
    ddf_arena_release(arena);
    ddf_pool_release(pool);
}

static void blocks_come_back(void) {
    ddf_pool *pool = pool_of(8 * MIB);
    ddf_arena *arena = arena_of(pool, 2 * MIB);
    void *first = ddf_arena_alloc(arena, 100, 1, 0);
    ddf_arena_release(arena);
    assert(ddf_pool_used(pool) == 0 && ddf_pool_kept(pool) >= 2 * MIB);
    arena = arena_of(pool, 2 * MIB - 5);
    assert(ddf_pool_kept(pool) == 0 && ddf_arena_alloc(arena, 100, 1, 0) == first);
    ddf_arena_release(arena);
    ddf_pool_release(pool);
}

static void the_block_of_a_batch_does_for_one_that_is_a_little_larger(void) {
    const size_t sizes[] = {MIB, 5 * MIB, 27 * MIB, 300 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ddf_pool *pool = pool_of(400 * MIB);
        ddf_arena *arena = arena_of(pool, sizes[i]);
        void *first = ddf_arena_alloc(arena, 100, 1, 0);
        ddf_arena_release(arena);
        arena = arena_of(pool, sizes[i] + sizes[i] / 33);
        assert(ddf_pool_kept(pool) == 0 && ddf_arena_alloc(arena, 100, 1, 0) == first);
        ddf_arena_release(arena);
        ddf_pool_release(pool);
    }
}

static void large_blocks_are_whole_large_pages(void) {
    ddf_pool *pool = pool_of(64 * MIB);
    ddf_arena *arena = arena_of(pool, 27 * MIB + 12345);
    assert(ddf_arena_size(arena) % (2 * MIB) == 0);
    ddf_arena_release(arena);
    ddf_pool_release(pool);
}

static void kept_blocks_stay_within_the_limit(void) {
    ddf_pool *pool = pool_of(2 * MIB);
    ddf_arena *one = arena_of(pool, 2 * MIB);
    ddf_arena *two = arena_of(pool, 2 * MIB); /* the limit bounds what is kept, not what is asked for */
    assert(ddf_pool_used(pool) >= 4 * MIB);
    ddf_arena_release(one);
    assert(ddf_pool_kept(pool) == 0);
    ddf_arena_release(two);
    assert(ddf_pool_kept(pool) <= 2 * MIB && ddf_pool_used(pool) == 0);
    ddf_arena_release(arena_of(pool, 100)); /* much smaller than the kept block, which has to go for it */
    assert(ddf_pool_kept(pool) <= 2 * MIB);
    ddf_pool_release(pool);
}

static void the_block_that_comes_back_last_may_exceed_the_limit(void) {
    ddf_pool *pool = pool_of(10 * MIB);
    ddf_arena *arenas[4];
    for (size_t i = 0; i < 4; i++) {
        arenas[i] = arena_of(pool, 4 * MIB);
    }
    ddf_arena_release(arenas[0]); /* there are three others in use, beyond the limit */
    assert(ddf_pool_kept(pool) == 0);
    ddf_arena_release(arenas[1]); /* two are within it */
    uint64_t one = ddf_pool_kept(pool);
    assert(one >= 4 * MIB);
    for (size_t i = 0; i < 5; i++) {
        ddf_arena *again = arena_of(pool, 4 * MIB);
        assert(ddf_pool_kept(pool) == 0);
        ddf_arena_release(again);
        assert(ddf_pool_kept(pool) == one);
    }
    ddf_arena_release(arenas[2]);
    ddf_arena_release(arenas[3]);
    assert(ddf_pool_kept(pool) == 3 * one);
    ddf_pool_release(pool);
}

static void arenas_outlive_their_pools_last_user(void) {
    ddf_pool *pool = pool_of(8 * MIB);
    ddf_arena *arena = arena_of(pool, 100);
    ddf_pool_release(pool);
    memset(ddf_arena_alloc(arena, 100, 16, 3), 1, 100);
    ddf_arena_retain(arena);
    ddf_arena_release(arena);
    memset(ddf_arena_alloc(arena, 100, 16, 3), 1, 100);
    ddf_arena_release(arena);
}

static void impossible_sizes_are_refused(void) {
    ddf_pool *pool = pool_of(MIB);
    ddf_arena *arena;
    assert(ddf_arena_new(pool, SIZE_MAX, &arena) < 0);
    assert(ddf_pool_used(pool) == 0);
    arena = arena_of(pool, 100);
    assert(ddf_arena_alloc(arena, SIZE_MAX, 1, 0) == NULL && ddf_arena_alloc(arena, SIZE_MAX - 10, 4096, 0) == NULL);
    assert(ddf_arena_alloc(arena, 100, 1, 0) != NULL);
    ddf_arena_release(arena);
    ddf_pool_release(pool);
}

static void *churn(void *argument) {
    ddf_pool *pool = argument;
    for (size_t i = 0; i < 300; i++) {
        ddf_arena *arena = arena_of(pool, (i * 7919) % (MIB / 2));
        memset(ddf_arena_alloc(arena, 1000, 64, i), 7, 1000);
        ddf_arena_retain(arena);
        ddf_arena_release(arena);
        ddf_arena_release(arena);
    }
    return NULL;
}

static void threads_may_share_a_pool(void) {
    ddf_pool *pool = pool_of(2 * MIB);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert(pthread_create(&threads[i], NULL, churn, pool) == 0);
    }
    for (int i = 0; i < 4; i++) {
        assert(pthread_join(threads[i], NULL) == 0);
    }
    assert(ddf_pool_used(pool) == 0 && ddf_pool_kept(pool) <= 3 * MIB);
    ddf_pool_release(pool);
}

static atomic_int told;

static void *churn_until_told(void *argument) {
    ddf_pool *pool = argument;
    while (!atomic_load(&told)) {
        ddf_arena_release(arena_of(pool, 100));
    }
    return NULL;
}

/* A thread holds the lock of the pool every now and then, and does not exist in the child. */
static void children_release_what_they_were_born_with(void) {
    ddf_pool *pool = pool_of(2 * MIB);
    ddf_arena *arena = arena_of(pool, 100);
    pthread_t threads[2];
    atomic_store(&told, 0);
    for (int i = 0; i < 2; i++) {
        assert(pthread_create(&threads[i], NULL, churn_until_told, pool) == 0);
    }
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        assert(child >= 0);
        if (child == 0) {
            alarm(10); /* ends a child that hangs */
            ddf_arena_release(arena);
            ddf_pool_release(pool);
            _exit(0);
        }
        int status;
        assert(waitpid(child, &status, 0) == child && status == 0);
    }
    atomic_store(&told, 1);
    for (int i = 0; i < 2; i++) {
        assert(pthread_join(threads[i], NULL) == 0);
    }
    ddf_arena_release(arena);
    ddf_pool_release(pool);
}

int main(void) {
    memory_lands_congruent_to_its_offset();
    allocations_do_not_overlap_or_move();
    blocks_come_back();
    the_block_of_a_batch_does_for_one_that_is_a_little_larger();
    large_blocks_are_whole_large_pages();
    kept_blocks_stay_within_the_limit();
    the_block_that_comes_back_last_may_exceed_the_limit();
    arenas_outlive_their_pools_last_user();
    impossible_sizes_are_refused();
    threads_may_share_a_pool();
    children_release_what_they_were_born_with();
    return 0;
}
