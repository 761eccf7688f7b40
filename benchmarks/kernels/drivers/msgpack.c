#include "ddf_msgpack.h"

#include "bench.h"

#define SAMPLES 2000

static bench_samples all;
static uint64_t starts[SAMPLES + 1];

/* Many small values inside one another: what decoding walks over where no column helps. */
static void nested(bench_samples *out, uint64_t i) {
    pack_map(out, 2);
    pack_str(out, "tags");
    pack_list(out, 10);
    for (unsigned j = 0; j < 10; j++) {
        pack_map(out, 3);
        pack_str(out, "name");
        pack_str(out, "a tag, gr\xc3\xb6\xc3\x9f" "er");
        pack_str(out, "score");
        pack_float(out, (double)j);
        pack_str(out, "count");
        pack_uint(out, i * j);
    }
    pack_str(out, "id");
    pack_uint(out, i);
}

static void prepare_image(void) { all = bench_pack(SAMPLES, pack_image); }
static void prepare_nested(void) { all = bench_pack(SAMPLES, nested); }

static void check(void) {
    for (size_t i = 0; i < all.n; i++) {
        ddf_err err;
        assert(ddf_msgpack_check(all.samples[i].data, all.samples[i].size, 1, &err) == 0);
    }
}

static void check_run(void) {
    ddf_err err;
    assert(ddf_msgpack_check_run(all.data, all.size, all.bounds + 1, all.n, 1, &err) == 0);
}

static void skip(void) {
    const uint8_t *p = all.data, *end = all.data + all.size;
    for (size_t i = 0; i < all.n; i++) {
        p = ddf_msgpack_skip(p, end, all.data, NULL);
    }
    assert(p == end);
}

static void split(void) {
    ddf_err err;
    assert(ddf_msgpack_split(all.data, all.size, starts, SAMPLES, &err) == SAMPLES);
}

static void prepare_text(void) {
    all = bench_pack(0, nested);
    for (int i = 0; i < 2000; i++) {
        pack_bytes(&all, "Plain words as most of them are, and a few gr\xc3\xb6\xc3\x9f" "ere \xe2\x82\xac. ", 56);
    }
}

static void utf8(void) { assert(ddf_utf8_valid(all.data, all.size)); }

const bench_case BENCH_CASES[] = {
    {"check", prepare_image, check},   {"check_nested", prepare_nested, check}, {"check_run", prepare_image, check_run},
    {"skip_nested", prepare_nested, skip}, {"split", prepare_image, split},     {"utf8", prepare_text, utf8},
    {0},
};
