#include "ddf_table.h"

#include <errno.h>

#include "ddf_msgpack.h"

ddf_table *ddf_table_new(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n) {
    ddf_table *table = ddf_arena_alloc(arena, sizeof *table, _Alignof(ddf_table), 0);
    if (table == NULL) {
        return NULL;
    }
    memset(table, 0, sizeof *table);
    table->samples = samples;
    table->n = n;
    table->region = region;
    for (size_t i = 0; i < n; i++) {
        table->nbytes += samples[i].size;
    }
    return table;
}

int ddf_table_raw(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, ddf_table **out) {
    ddf_table *table = ddf_table_new(arena, region, samples, n);
    if (table == NULL) {
        return -ENOMEM;
    }
    table->raw = 1;
    *out = table;
    return DDF_OK;
}

static const ddf_slice *sample_at(const ddf_table *table, size_t first, ptrdiff_t step, size_t i) {
    return &table->samples[(ptrdiff_t)first + step * (ptrdiff_t)i];
}

int ddf_table_ends(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint64_t *ends) {
    const uint8_t *start = n > 0 ? table->samples[first].data : NULL;
    uint64_t end = 0;
    int in_place = 1;
    for (size_t i = 0; i < n; i++) {
        const ddf_slice *sample = sample_at(table, first, step, i);
        in_place &= sample->data == start + end;
        end += sample->size;
        ends[i] = end;
    }
    return in_place;
}

void ddf_table_join(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        const ddf_slice *sample = sample_at(table, first, step, i);
        memcpy(out, sample->data, sample->size);
        out += sample->size;
    }
}

ddf_slice ddf_column_value(const ddf_table *table, const ddf_column *column, size_t i) {
    const uint8_t *p = column->at[i];
    if (p == NULL) {
        return (ddf_slice){NULL, 0};
    }
    const uint8_t *end = table->samples[i].data + table->samples[i].size;
    return (ddf_slice){p, (uint64_t)(ddf_msgpack_skip(p, end, p, NULL) - p)};
}

ddf_slice ddf_column_bytes(const ddf_table *table, const ddf_column *column, size_t i) {
    const ddf_view *view = (const ddf_view *)column->data + i;
    if (view->len <= (int32_t)sizeof view->as.bytes) {
        return (ddf_slice){view->as.bytes, (uint64_t)view->len};
    }
    uint64_t offset = (uint64_t)view->as.ref.buffer * DDF_WINDOW + (uint64_t)view->as.ref.offset;
    return (ddf_slice){table->region.data + offset, (uint64_t)view->len};
}

void ddf_column_ends(const ddf_column *column, size_t first, ptrdiff_t step, size_t n, uint64_t *ends) {
    const ddf_view *views = column->data;
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        end += (uint64_t)views[(ptrdiff_t)first + step * (ptrdiff_t)i].len;
        ends[i] = end;
    }
}

void ddf_column_join(const ddf_table *table, const ddf_column *column, size_t first, ptrdiff_t step, size_t n,
                     uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        ddf_slice value = ddf_column_bytes(table, column, (size_t)((ptrdiff_t)first + step * (ptrdiff_t)i));
        memcpy(out, value.data, value.size);
        out += value.size;
    }
}
