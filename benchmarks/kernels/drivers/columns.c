/* One column of each kind, 2,000 samples in a batch, and batches with more than one. */
#include "ddf_columns.h"

#include <stdio.h>

#include "bench.h"

#define SAMPLES 2000

static bench_samples batch;
static ddf_pool *pool;
static ddf_slice names[2] = {{(const uint8_t *)"image", 5}, {(const uint8_t *)"label", 5}};
static size_t names_n, columns_n;
static ddf_column_kind kind;

static void prepare(void (*pack)(bench_samples *, uint64_t), ddf_column_kind expected) {
    batch = bench_pack(SAMPLES, pack);
    kind = expected;
    columns_n = 1;
    assert(ddf_pool_new((uint64_t)64 << 20, &pool) == 0);
}

static void build(void) {
    ddf_arena *arena;
    ddf_table *table;
    ddf_err err;
    ddf_slice region = {batch.data, batch.size};
    assert(ddf_arena_new(pool, 1 << 20, &arena) == 0);
    int status = ddf_columns_build(arena, region, batch.samples, batch.n, names_n ? names : NULL, names_n, &table, &err);
    assert(status == 0 && table->columns_n == columns_n && table->columns[0].kind == kind);
    ddf_arena_release(arena);
}

static void field(bench_samples *out) {
    pack_map(out, 1);
    pack_str(out, "value");
}

static void one_int(bench_samples *out, uint64_t i) {
    field(out);
    if (i % 5 == 0) {
        pack_negative(out, -(int64_t)i - 1);
    } else {
        pack_uint(out, i * i);
    }
}

static void one_uint(bench_samples *out, uint64_t i) {
    field(out);
    pack_uint(out, i % 2 ? i : UINT64_MAX - i);
}

static void one_float(bench_samples *out, uint64_t i) {
    field(out);
    pack_float(out, (double)i / 7);
}

static void one_bool(bench_samples *out, uint64_t i) {
    field(out);
    pack_bool(out, i % 3 == 0);
}

static void one_complex(bench_samples *out, uint64_t i) {
    field(out);
    pack_complex(out, (unsigned)i);
}

/* Short ones are inline in the view, longer ones are not; some are not ASCII. */
static void one_str(bench_samples *out, uint64_t i) {
    char text[80];
    snprintf(text, sizeof text, i % 2 ? "%u" : "a longer string, gr\xc3\xb6\xc3\x9f" "er than a view: %u", (unsigned)i);
    field(out);
    pack_str(out, text);
}

static void one_bin(bench_samples *out, uint64_t i) {
    field(out);
    pack_bin(out, i % 100, i);
}

static void one_stacked(bench_samples *out, uint64_t i) {
    field(out);
    pack_array(out, 16, i);
}

static void one_array(bench_samples *out, uint64_t i) {
    field(out);
    pack_array(out, (unsigned)(i % 16), i);
}

static void one_list(bench_samples *out, uint64_t i) {
    field(out);
    pack_list(out, 3);
    pack_uint(out, i);
    pack_str(out, "two");
    pack_float(out, 3);
}

/* The same names in every sample, but not in the same order. */
static void unordered(bench_samples *out, uint64_t i) {
    static const char *const FIELDS[] = {"a", "field", "another field", "d", "a fifth field with a long name"};
    pack_map(out, 5);
    for (uint64_t j = 0; j < 5; j++) {
        pack_str(out, FIELDS[(i + j) % 5]);
        pack_uint(out, j);
    }
}

static void wide(bench_samples *out, uint64_t i) {
    pack_map(out, 15);
    for (unsigned j = 0; j < 15; j++) {
        char name[32];
        snprintf(name, sizeof name, "field_%u", j);
        pack_str(out, name);
        pack_uint(out, i + j);
    }
}

static void for_int64(void) { prepare(one_int, DDF_COLUMN_INT64); }
static void for_uint64(void) { prepare(one_uint, DDF_COLUMN_UINT64); }
static void for_float64(void) { prepare(one_float, DDF_COLUMN_FLOAT64); }
static void for_bool(void) { prepare(one_bool, DDF_COLUMN_BOOL); }
static void for_complex(void) { prepare(one_complex, DDF_COLUMN_COMPLEX); }
static void for_str(void) { prepare(one_str, DDF_COLUMN_STR); }
static void for_bytes(void) { prepare(one_bin, DDF_COLUMN_BYTES); }
static void for_stacked(void) { prepare(one_stacked, DDF_COLUMN_STACKED); }
static void for_views(void) { prepare(one_array, DDF_COLUMN_VIEWS); }
static void for_object(void) { prepare(one_list, DDF_COLUMN_OBJECT); }

static void for_image(void) {
    prepare(pack_image, DDF_COLUMN_STR);
    columns_n = 4;
}

static void for_selected(void) {
    prepare(pack_image, DDF_COLUMN_BYTES);
    columns_n = names_n = 2;
}

static void for_unordered(void) {
    prepare(unordered, DDF_COLUMN_INT64);
    columns_n = 5;
}

static void for_wide(void) {
    prepare(wide, DDF_COLUMN_INT64);
    columns_n = 15;
}

const bench_case BENCH_CASES[] = {
    {"int64", for_int64, build},
    {"uint64", for_uint64, build},
    {"float64", for_float64, build},
    {"bool", for_bool, build},
    {"complex", for_complex, build},
    {"str", for_str, build},
    {"bytes", for_bytes, build},
    {"stacked", for_stacked, build},
    {"views", for_views, build},
    {"object", for_object, build},
    {"image", for_image, build},
    {"selected", for_selected, build},
    {"unordered", for_unordered, build},
    {"wide", for_wide, build},
    {0},
};
