#include "ddf_number.h"

#include <stdio.h>

#include "bench.h"

#define NUMBERS 20000
#define WIDTH 40

static char *texts;

static void fill(const char *format, double divisor) {
    uint64_t state = 7;
    texts = bench_new(NUMBERS, WIDTH);
    for (size_t i = 0; i < NUMBERS; i++) {
        snprintf(texts + WIDTH * i, WIDTH, format, (double)(bench_random(&state) % 1000000000) / divisor);
    }
}

static void prepare_coordinates(void) { fill("%.2f", 1e6); }
static void prepare_scores(void) { fill("%.17g", 1e9 + 7); }
static void prepare_integers(void) { fill("%.0f", 1); }

static void doubles(void) {
    for (size_t i = 0; i < NUMBERS; i++) {
        const uint8_t *wrong;
        double value;
        assert(ddf_number_double((const uint8_t *)texts + WIDTH * i, &value, &wrong) != NULL);
    }
}

static void integers(void) {
    for (size_t i = 0; i < NUMBERS; i++) {
        const uint8_t *wrong;
        ddf_number number;
        assert(ddf_number_read((const uint8_t *)texts + WIDTH * i, &number, &wrong) != NULL && number.is_integer);
    }
}

const bench_case BENCH_CASES[] = {{"coordinates", prepare_coordinates, doubles},
                                  {"scores", prepare_scores, doubles},
                                  {"integers", prepare_integers, integers},
                                  {0}};
