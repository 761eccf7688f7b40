#include "ddf_columns.h"

#include <errno.h>

#include "ddf_columns_fill.h"
#include "ddf_columns_locate.h"
#include "ddf_msgpack.h"

/* The columns are the selected fields that at least one sample has. */
static int columns_fill(ddf_arena *arena, ddf_table *table, const ddf_fields *fields, ddf_err *err) {
    table->columns = ddf_arena_alloc(arena, (fields->n + 1) * sizeof *table->columns, _Alignof(ddf_column), 0);
    if (table->columns == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < fields->n; i++) {
        const ddf_field *field = &fields->items[i];
        if (field->at == NULL || field->present == 0) {
            continue;
        }
        int status = ddf_column_fill(arena, table, field, &table->columns[table->columns_n], err);
        if (status < 0) {
            return status;
        }
        table->columns_n++;
    }
    return DDF_OK;
}

static ddf_table *table_new(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n) {
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
    ddf_table *table = table_new(arena, region, samples, n);
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

int ddf_table_build(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, const ddf_slice *names,
                    size_t names_n, ddf_table **out, ddf_err *err) {
    ddf_err local;
    err = err == NULL ? &local : err;
    ddf_table *table = table_new(arena, region, samples, n);
    if (table == NULL) {
        return -ENOMEM;
    }
    ddf_fields fields;
    int status = ddf_fields_locate(arena, table, names, names_n, &fields, err);
    if (status < 0) {
        return status;
    }
    table->selected = names != NULL;
    status = columns_fill(arena, table, &fields, err);
    if (status < 0) {
        return status;
    }
    *out = table;
    return DDF_OK;
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

uint32_t ddf_dtype_size(const uint8_t *type, size_t len) {
    static const struct {
        char name[4];
        uint8_t size;
    } KNOWN[] = {{"i2", 2}, {"i4", 4}, {"i8", 8}, {"u2", 2}, {"u4", 4}, {"u8", 8},
                 {"f2", 2}, {"f4", 4}, {"f8", 8}, {"c8", 8}, {"c16", 16}};
    if (len < 3 || len > 4) {
        return 0;
    }
    if (type[0] == '|') {
        return len == 3 && type[2] == '1' && (type[1] == 'b' || type[1] == 'i' || type[1] == 'u');
    }
    if (type[0] != '<' && type[0] != '>') {
        return 0;
    }
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (strlen(KNOWN[i].name) == len - 1 && memcmp(KNOWN[i].name, type + 1, len - 1) == 0) {
            return KNOWN[i].size;
        }
    }
    return 0;
}
