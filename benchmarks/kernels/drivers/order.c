#include "ddf_order.h"

#include "bench.h"

#define COUNT 5000

static int64_t indices[COUNT];

static void nothing(void) {}

static void order(ddf_order_kind kind) {
    ddf_order epoch = {.kind = kind, .n = 1281167, .seed = 5, .epoch = 2, .block = 100, .window = 20};
    ddf_err err;
    assert(ddf_order_indices(&epoch, 12345, COUNT, indices, &err) == 0);
    assert(indices[0] != indices[1]);
}

static void sequential(void) { order(DDF_ORDER_SEQUENTIAL); }
static void shuffled(void) { order(DDF_ORDER_SHUFFLED); }
static void blocks(void) { order(DDF_ORDER_BLOCKS); }

const bench_case BENCH_CASES[] = {
    {"sequential", nothing, sequential}, {"shuffled", nothing, shuffled}, {"blocks", nothing, blocks}, {0}};
