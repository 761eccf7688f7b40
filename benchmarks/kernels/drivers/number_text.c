#include "ddf_number_text.h"

#include "bench.h"

#define NUMBERS 20000

static double *values;

static void fill(double divisor) {
    uint64_t state = 7;
    values = bench_new(NUMBERS, sizeof *values);
    for (size_t i = 0; i < NUMBERS; i++) {
        values[i] = (double)(bench_random(&state) % 64000) / divisor;
    }
}

static void prepare_coordinates(void) { fill(100); }
static void prepare_scores(void) { fill(64007); }

static void write_all(void) {
    for (size_t i = 0; i < NUMBERS; i++) {
        uint8_t text[DDF_NUMBER_TEXT];
        assert(ddf_number_write(values[i], 0, text) > 0);
    }
}

const bench_case BENCH_CASES[] = {{"coordinates", prepare_coordinates, write_all}, {"scores", prepare_scores, write_all}, {0}};
