#include "ddf_points.h"

#include "bench.h"

#define POINTS 100000

static double *values, *again;
static float *packed;

static void prepare(void) {
    uint64_t state = 7;
    values = bench_new(POINTS, sizeof *values);
    again = bench_new(POINTS, sizeof *again);
    packed = bench_new(POINTS, sizeof *packed);
    for (size_t i = 0; i < POINTS; i++) {
        values[i] = (double)(bench_random(&state) % 64000) / 100;
    }
}

static void pack(void) { assert(ddf_points_pack(values, POINTS, packed) == 2); }

static void unpack(void) { ddf_points_unpack(packed, POINTS, 2, again); }

const bench_case BENCH_CASES[] = {{"pack", prepare, pack}, {"unpack", prepare, unpack}, {0}};
