/* The decision about the concurrency limit, which is made after each waiting read. */
#include "ddf_limit.h"

#include "bench.h"

#define READS 100000

static uint64_t sizes[READS];

static void prepare(void) {
    uint64_t state = 17;
    for (size_t i = 0; i < READS; i++) {
        sizes[i] = 60000 + bench_random(&state) % 90000;
    }
}

static void note(void) {
    ddf_limit limit;
    ddf_limit_init(&limit, 0);
    for (size_t i = 0; i < READS; i++) {
        ddf_limit_note_read(&limit, limit.reads - (i % 8 == 0), sizes[i]);
        if (i % 5000 == 4999) {
            ddf_limit_back_off(&limit);
        }
    }
    assert(limit.reads == DDF_LIMIT_START);
}

const bench_case BENCH_CASES[] = {{"note", prepare, note}, {0}};
