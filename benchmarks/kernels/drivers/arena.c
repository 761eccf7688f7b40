#include "ddf_arena.h"

#include "bench.h"

static ddf_pool *pool;

static void prepare(void) { assert(ddf_pool_new((uint64_t)64 << 20, &pool) == 0); }

/* Arenas whose blocks come out of the pool again, as those of one batch after another. */
static void reuse(void) {
    for (size_t i = 0; i < 1000; i++) {
        ddf_arena *arena;
        assert(ddf_arena_new(pool, 1 << 20, &arena) == 0);
        for (size_t j = 0; j < 10; j++) {
            assert(ddf_arena_alloc(arena, 1000 + j, 64, j) != NULL);
        }
        ddf_arena_release(arena);
    }
}

const bench_case BENCH_CASES[] = {{"reuse", prepare, reuse}, {0}};
