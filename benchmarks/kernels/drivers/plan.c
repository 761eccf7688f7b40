#include "ddf_plan.h"

#include "bench.h"

#define SPANS 10000
#define ENDS 40

static ddf_span spans[SPANS];
static ddf_read reads[SPANS], pieces[4 * SPANS];
static uint64_t landing[SPANS], total;
static ddf_plan_item scratch[2 * SPANS];
static const ddf_plan_item *sorted;
static uint64_t ends[ENDS];
static size_t n_reads;

static void prepare_sequential(void) {
    uint64_t state = 3, at = 0;
    for (size_t i = 0; i < SPANS; i++) {
        uint64_t size = bench_random(&state) % 6000;
        spans[i] = (ddf_span){at, at + size};
        at += size;
    }
}

static void prepare_shuffled(void) {
    uint64_t state = 4;
    prepare_sequential();
    for (size_t i = SPANS - 1; i > 0; i--) {
        size_t j = bench_random(&state) % (i + 1);
        ddf_span span = spans[i];
        spans[i] = spans[j];
        spans[j] = span;
    }
    for (size_t i = SPANS / 2; i < SPANS; i++) {
        spans[i] = spans[i - SPANS / 2]; /* half of the file in all, everything twice */
    }
}

static void plan(void) {
    ddf_err err;
    int overlaps;
    int64_t got = ddf_plan_reads(spans, SPANS, 4096, DDF_LANDING_ALIGN, reads, landing, &total, scratch, &sorted, &overlaps,
                                 &err);
    assert(got > 0);
    n_reads = (size_t)got;
}

static void prepare_cut(void) {
    prepare_shuffled();
    plan();
    for (size_t i = 0; i < ENDS; i++) {
        ends[i] = total / ENDS * (i + 1);
    }
}

static void cut(void) {
    size_t n = ddf_plan_cut(reads, n_reads, 5000, ends, ENDS, NULL);
    assert(n <= 4 * SPANS && ddf_plan_cut(reads, n_reads, 5000, ends, ENDS, pieces) == n);
}

const bench_case BENCH_CASES[] = {
    {"sequential", prepare_sequential, plan}, {"shuffled", prepare_shuffled, plan}, {"cut", prepare_cut, cut}, {0}};
