#include "ddf_scan.h"

#include "bench.h"

#define SAMPLES 2000

static bench_samples all;
static ddf_span spans[SAMPLES];
static ddf_scanned found[SAMPLES];

static void prepare(void) {
    all = bench_pack(SAMPLES, pack_image);
    for (size_t i = 0; i < SAMPLES; i++) {
        spans[i] = (ddf_span){all.bounds[i], all.bounds[i + 1]};
    }
}

static void run(void) {
    ddf_err err;
    assert(ddf_scan_run(all.data, all.size, found, SAMPLES, &err) == SAMPLES && found[9].kind == DDF_KEY_TEXT);
}

static void of_spans(void) {
    ddf_err err;
    assert(ddf_scan_spans(all.data, all.size, 0, spans, SAMPLES, found, &err) == SAMPLES);
}

const bench_case BENCH_CASES[] = {{"run", prepare, run}, {"spans", prepare, of_spans}, {0}};
