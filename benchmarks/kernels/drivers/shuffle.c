#include "ddf_shuffle.h"

#include "bench.h"

#define ITEMS 20000
#define PLACES 1000

static uint32_t numbers[4 * ITEMS], draws[ITEMS];
static int64_t items[ITEMS], buffer[PLACES], outgoing[ITEMS];

static void prepare(void) {
    uint64_t state = 9;
    for (size_t i = 0; i < 4 * ITEMS; i++) {
        numbers[i] = (uint32_t)bench_random(&state);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (int64_t)i;
    }
}

static void below(void) {
    ddf_words words = {numbers, 4 * ITEMS};
    assert(ddf_shuffle_below(&words, PLACES, draws, ITEMS) == ITEMS);
}

static void all(void) {
    ddf_words words = {numbers, 4 * ITEMS};
    assert(ddf_shuffle_items(&words, items, ITEMS) <= 1);
}

static void prepare_exchange(void) {
    prepare();
    below();
}

static void exchange(void) {
    ddf_err err;
    assert(ddf_shuffle_exchange(buffer, PLACES, draws, ITEMS, items, outgoing, &err) == 0);
}

const bench_case BENCH_CASES[] = {
    {"below", prepare, below}, {"items", prepare, all}, {"exchange", prepare_exchange, exchange}, {0}};
