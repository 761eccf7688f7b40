/* What each read that has to be waited for adds to the decision how many there are. */
#include "ddf_flow.h"

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
    ddf_flow flow;
    ddf_flow_init(&flow, 0);
    for (size_t i = 0; i < READS; i++) {
        ddf_flow_note(&flow, flow.limit - (i % 8 == 0), sizes[i]);
        if (i % 5000 == 4999) {
            ddf_flow_back_off(&flow);
        }
    }
    assert(flow.limit == DDF_FLOW_START);
}

const bench_case BENCH_CASES[] = {{"note", prepare, note}, {0}};
