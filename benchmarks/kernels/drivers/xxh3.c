/* The plain way, which any processor can take. */
#include "ddf_xxh3.h"

#include "bench.h"

#define SAMPLES 2000

static bench_samples all;
static uint64_t sizes[SAMPLES], sums[SAMPLES];

static void prepare(void) {
    all = bench_pack(SAMPLES, pack_image);
    for (size_t i = 0; i < SAMPLES; i++) {
        sizes[i] = all.bounds[i + 1] - all.bounds[i];
    }
}

static void parts(void) {
    ddf_err err;
    assert(ddf_xxh3_parts(all.data, all.size, sizes, SAMPLES, sums, &err) == 0 && sums[0] != sums[1]);
}

static void whole(void) { assert(ddf_xxh3(all.data, all.size) != 0); }

const bench_case BENCH_CASES[] = {{"parts", prepare, parts}, {"whole", prepare, whole}, {0}};
