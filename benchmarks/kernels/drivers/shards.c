/* Single samples: found by their index and read out of the page cache. */
#include "ddf_shards.h"

#include "bench.h"

#define SAMPLES 5000

static ddf_shards *shards;
static int64_t indices[SAMPLES];
static ddf_span spans[SAMPLES];

static void prepare(void) {
    bench_samples all = bench_pack(SAMPLES, pack_image);
    ddf_file *file;
    uint64_t state = 7;
    assert(ddf_file_open(bench_file(&all), &file) == 0);
    ddf_shard_table table = {bench_table(all.bounds, SAMPLES + 1), NULL}, none = {NULL, NULL};
    assert(ddf_shards_of(file, table, SAMPLES + 1, none, &shards) == 0);
    for (size_t i = 0; i < SAMPLES; i++) {
        indices[i] = (int64_t)(bench_random(&state) % SAMPLES);
    }
}

static void get(void) {
    uint8_t sample[1000];
    for (size_t i = 0; i < SAMPLES; i++) {
        ddf_found found;
        ddf_err err;
        assert(ddf_shards_find(shards, indices[i], &found, &err) == 0);
        size_t size = (size_t)(found.span.stop - found.span.start);
        if (ddf_file_read_ready(found.file, DDF_SCATTERED, sample, size, found.span.start) != size) {
            assert(ddf_file_read(found.file, sample, size, found.span.start, &err) == 0);
        }
        assert(sample[0] == 0x84);
        ddf_shards_release_file(shards, found.file);
    }
}

static void locate(void) {
    ddf_err err;
    assert(ddf_shards_spans(shards, indices, SAMPLES, spans, NULL, &err) == 0);
}

/* What the file was asked for before decides whether its pages are entered. */
static void prepare_get(void) {
    prepare();
    get();
}

const bench_case BENCH_CASES[] = {{"get", prepare_get, get}, {"spans", prepare, locate}, {0}};
