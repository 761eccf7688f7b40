#include "ddf_payload.h"

#include "bench.h"

static bench_samples all;

static void prepare(void) { all = bench_pack(2000, pack_image); }

static void find(void) {
    for (size_t i = 0; i < all.n; i++) {
        size_t at, size;
        assert(ddf_payload_find(all.samples[i].data, all.samples[i].size, &at, &size) && size >= 200);
        assert(ddf_payload_matches(all.samples[i].data, all.samples[i].size, at, size));
    }
}

const bench_case BENCH_CASES[] = {{"find", prepare, find}, {0}};
