#include "ddf_roundtrip.h"

#include "bench.h"

static bench_samples all;

static void prepare(void) { all = bench_pack(2000, pack_image); }

static void plain(void) {
    for (size_t i = 0; i < all.n; i++) {
        ddf_err err;
        assert(ddf_roundtrip_is_exact(all.samples[i].data, all.samples[i].size, 1, &err) == 1);
    }
}

const bench_case BENCH_CASES[] = {{"plain", prepare, plain}, {0}};
