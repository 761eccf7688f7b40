#include "ddf_nd.h"

#include "bench.h"

static bench_samples all;

static void array(bench_samples *out, uint64_t i) { pack_array(out, 1 + i % 32, i); }
static void complex_number(bench_samples *out, uint64_t i) { pack_complex(out, (unsigned)i); }

static void prepare_array(void) { all = bench_pack(2000, array); }
static void prepare_complex(void) { all = bench_pack(2000, complex_number); }

static void parse(void) {
    for (size_t i = 0; i < all.n; i++) {
        ddf_nd nd;
        const uint8_t *end = all.samples[i].data + all.samples[i].size;
        assert(ddf_nd_parse(all.samples[i].data, end, &nd) == end);
        assert(nd.form == DDF_ND_COMPLEX || ddf_nd_fits(&nd, 4));
    }
}

const bench_case BENCH_CASES[] = {{"array", prepare_array, parse}, {"complex", prepare_complex, parse}, {0}};
