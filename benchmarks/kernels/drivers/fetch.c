/* Batches end to end: order, offsets, plan, reads out of the page cache, columns. One group of four batches. */
#include "ddf_fetch.h"

#include "bench.h"
#include "ddf_xxh3.h"

#define SAMPLES 5000
#define BATCH 256
#define GROUP ((size_t)4 * BATCH)

static ddf_fetch_request request;
static ddf_engine *engine;

static void run(void) {
    ddf_fetch *fetch;
    const ddf_err *err;
    assert(ddf_fetch_new(&request, &fetch) == 0 && ddf_fetch_run(fetch, engine, 20000) == 0);
    assert(ddf_fetch_job(fetch)->status == 0);
    for (size_t b = 0; b < ddf_fetch_batches(fetch); b++) {
        const ddf_table *table = ddf_fetch_table(fetch, b, &err);
        assert(table != NULL && table->n == BATCH && table->columns_n == (request.tables ? 4 : 0));
    }
    ddf_fetch_release(fetch, engine);
}

/* Checksums as their file has them. */
static const uint8_t *sums_of(const bench_samples *all) {
    uint64_t sums[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        sums[i] = ddf_xxh3(all->samples[i].data, all->samples[i].size);
    }
    return bench_table(sums, SAMPLES);
}

static void prepare(ddf_order_kind kind, int verified) {
    bench_samples all = bench_pack(SAMPLES, pack_image);
    ddf_file *file;
    assert(ddf_file_open(bench_file(&all), &file) == 0);
    request = (ddf_fetch_request){
        .order = {.kind = kind, .n = SAMPLES, .seed = 1, .block = 1, .window = 1},
        .stride = BATCH,
        .count = GROUP,
        .batch_size = BATCH,
        .tables = 1,
        .max_gap = 4096,
        .max_read = 1 << 20,
    };
    ddf_shard_table table = {bench_table(all.bounds, SAMPLES + 1), NULL}, sums = {verified ? sums_of(&all) : NULL, NULL};
    assert(ddf_shards_of(file, table, SAMPLES + 1, sums, &request.shards) == 0);
    assert(ddf_pool_new((uint64_t)64 << 20, &request.pool) == 0);
    assert(ddf_engine_new(4, 1, DDF_IO_THREADS, &engine) == 0);
    for (int i = 0; i < 5; i++) {
        run(); /* from here on everything is as it will stay: memory in the pool, pages of the file entered */
    }
}

static void for_sequential(void) { prepare(DDF_ORDER_SEQUENTIAL, 0); }
static void for_verified(void) { prepare(DDF_ORDER_SEQUENTIAL, 1); }
static void for_shuffled(void) { prepare(DDF_ORDER_SHUFFLED, 0); }

static void for_raw(void) {
    prepare(DDF_ORDER_SEQUENTIAL, 0);
    request.tables = 0;
}

const bench_case BENCH_CASES[] = {
    {"sequential", for_sequential, run},
    {"shuffled", for_shuffled, run},
    {"verified", for_verified, run},
    {"raw", for_raw, run},
    {0},
};
