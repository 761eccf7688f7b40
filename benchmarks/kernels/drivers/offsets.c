#include "ddf_offsets.h"

#include "bench.h"

#define SAMPLES 20000

static uint64_t bounds[SAMPLES + 1];
static uint8_t *table;
static int64_t indices[SAMPLES];
static ddf_span spans[SAMPLES];

static void prepare(void) {
    uint64_t state = 1;
    for (size_t i = 0; i < SAMPLES; i++) {
        bounds[i + 1] = bounds[i] + bench_random(&state) % 5000;
        indices[i] = (int64_t)(bench_random(&state) % SAMPLES);
    }
    table = bench_table(bounds, SAMPLES + 1);
}

static void validate(void) {
    ddf_err err;
    assert(ddf_offsets_validate(table, SAMPLES + 1, bounds[SAMPLES], &err) == 0);
}

static void of_indices(void) {
    ddf_err err;
    assert(ddf_offsets_spans(table, SAMPLES + 1, indices, SAMPLES, bounds[SAMPLES], spans, &err) == 0);
    assert(spans[9].start == bounds[indices[9]]);
}

static void of_range(void) {
    ddf_err err;
    assert(ddf_offsets_range(table, SAMPLES + 1, 0, SAMPLES, bounds[SAMPLES], spans, &err) == 0);
    assert(spans[9].stop == bounds[10]);
}

const bench_case BENCH_CASES[] = {
    {"validate", prepare, validate}, {"spans", prepare, of_indices}, {"range", prepare, of_range}, {0}};
