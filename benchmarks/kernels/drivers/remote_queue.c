/* A remote group in the engine: a queue acquires its pieces and completes them one by one. */
#include "ddf_engine.h"
#include "ddf_remote_queue.h"

#include <errno.h>

#include "bench.h"

#define PIECES ((size_t)2000)
#define SIZE ((uint64_t)100)
#define AT_A_TIME 64

static ddf_engine *engine;
static ddf_remote_queue *queue;
static ddf_pool *pool;
static ddf_shards *shards;
static ddf_job job;

static int prepare_job(ddf_job *of, ddf_engine *by) {
    (void)by;
    of->shards = shards;
    assert(ddf_arena_new(pool, PIECES * (size_t)SIZE, &of->arena) == 0);
    of->base = ddf_arena_alloc(of->arena, PIECES * (size_t)SIZE, 64, 0);
    of->pieces = ddf_arena_alloc(of->arena, PIECES * sizeof *of->pieces, 64, 0);
    of->missed = ddf_arena_alloc(of->arena, PIECES * sizeof *of->missed, 64, 0);
    assert(of->base != NULL && of->pieces != NULL && of->missed != NULL);
    for (size_t i = 0; i < PIECES; i++) {
        of->pieces[i] = (ddf_read){i * SIZE, SIZE, i * SIZE};
    }
    of->n_pieces = PIECES;
    return 0;
}

static void nothing(ddf_job *of) { (void)of; }

static void prepare(void) {
    static const uint8_t table[8] = {0};
    const ddf_shard_spec spec = {.offsets = table, .stamp.size = PIECES * SIZE};
    assert(ddf_shards_new(&spec, 1, 0, &shards) == 0 && ddf_pool_new((size_t)1 << 24, &pool) == 0);
    assert(ddf_engine_new(0, 1, DDF_IO_AUTO, &engine) == 0 && ddf_remote_queue_new(engine, &queue) == 0);
    job = (ddf_job){.prepare = prepare_job, .finish = nothing, .drop = nothing};
}

static void pass(void) {
    ddf_remote_piece pieces[AT_A_TIME];
    size_t n;
    assert(ddf_engine_run(engine, &job, 0) == -EAGAIN);
    while ((n = ddf_remote_queue_acquire(queue, pieces, AT_A_TIME)) > 0) {
        for (size_t i = 0; i < n; i++) {
            ddf_remote_queue_complete(queue, &pieces[i], 0, NULL);
            ddf_arena_release(pieces[i].arena);
        }
    }
    assert(ddf_job_is_done(&job) && job.status == 0);
}

const bench_case BENCH_CASES[] = {{"pass", prepare, pass}, {0}};
