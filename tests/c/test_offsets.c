#include <assert.h>
#include <stdlib.h>

#include "ddf_offsets.h"

/* In memory of exactly its size, so that a sanitizer sees every byte read beyond it. */
static uint8_t *table_of(const uint64_t *values, size_t n) {
    uint8_t *table = malloc(8 * n + (n == 0));
    assert(table != NULL);
    for (size_t i = 0; i < n; i++) {
        ddf_store64(table + 8 * i, values[i]);
    }
    return table;
}

static int validate(const uint64_t *values, size_t n, uint64_t size, ddf_err *err) {
    uint8_t *table = table_of(values, n);
    int status = ddf_offsets_validate(table, n, size, err);
    free(table);
    return status;
}

static void good_tables_pass(void) {
    const uint64_t values[] = {0, 5, 5, 9};
    assert(validate(values, 4, 9, NULL) == 0);
    assert(validate(values, 1, 0, NULL) == 0);
}

static void a_bad_entry_is_named(void) {
    ddf_err err;
    const uint64_t values[] = {0, 5, 4, 9};
    assert(validate(values, 4, 9, &err) == DDF_E_SPAN && err.item == 2 && err.pos == 16);
    assert(validate(values, 4, 8, &err) == DDF_E_SPAN && err.item == 3);
    assert(validate(values + 1, 3, 9, &err) == DDF_E_SPAN && err.item == 0);
    assert(validate(values, 0, 9, &err) == DDF_E_SPAN && err.item == 0);
}

static void long_tables_are_checked_to_the_last_entry(void) {
    enum { N = 5000 };
    uint64_t values[N];
    for (size_t i = 0; i < N; i++) {
        values[i] = 3 * i;
    }
    assert(validate(values, N, values[N - 1], NULL) == 0);
    for (size_t bad = 1; bad < N - 1; bad += 127) {
        ddf_err err;
        uint64_t kept = values[bad];
        values[bad] = 3 * bad + 4;
        assert(validate(values, N, values[N - 1], &err) == DDF_E_SPAN && err.item == bad + 1);
        values[bad] = kept;
    }
}

static void spans_are_checked_one_by_one(void) {
    const uint64_t values[] = {0, 5, 4, UINT64_MAX};
    uint8_t *table = table_of(values, 4);
    ddf_span out[3];
    ddf_err err;
    const int64_t good[] = {0, 0};
    assert(ddf_offsets_spans(table, 4, good, 2, 9, out, &err) == 0 && out[1].start == 0 && out[1].stop == 5);
    const int64_t falling[] = {0, 1};
    assert(ddf_offsets_spans(table, 4, falling, 2, 9, out, &err) == DDF_E_SPAN && err.item == 1 && err.pos == 8);
    const int64_t beyond[] = {2};
    assert(ddf_offsets_spans(table, 4, beyond, 1, 9, out, &err) == DDF_E_SPAN && err.item == 0);
    const int64_t absent[] = {0, 3, -1};
    assert(ddf_offsets_spans(table, 4, absent, 3, 9, out, &err) == DDF_E_INDEX && err.item == 1);
    assert(ddf_offsets_spans(table, 4, absent + 2, 1, 9, out, &err) == DDF_E_INDEX && err.item == 0);
    assert(ddf_offsets_spans(table, 0, good, 1, 9, out, &err) == DDF_E_INDEX);
    assert(ddf_offsets_range(table, 4, 0, 1, 9, out, &err) == 0 && out[0].stop == 5);
    assert(ddf_offsets_range(table, 4, 0, 3, 9, out, &err) == DDF_E_SPAN && err.item == 1 && err.pos == 8);
    assert(ddf_offsets_range(table, 4, 1, 3, 9, out, &err) == DDF_E_INDEX && err.item == 2);
    assert(ddf_offsets_range(table, 4, UINT64_MAX, 2, 9, out, &err) == DDF_E_INDEX);
    assert(ddf_offsets_range(table, 4, 3, 0, 9, out, &err) == 0);
    free(table);
}

int main(void) {
    good_tables_pass();
    a_bad_entry_is_named();
    long_tables_are_checked_to_the_last_entry();
    spans_are_checked_one_by_one();
    return 0;
}
