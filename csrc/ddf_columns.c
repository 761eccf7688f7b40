#include "ddf_columns.h"

#include <errno.h>

#include "ddf_columns_fill.h"
#include "ddf_columns_locate.h"

/* The columns are the selected fields that at least one sample has. */
static int columns_fill(ddf_arena *arena, ddf_table *table, const ddf_fields *fields, ddf_err *err) {
    table->columns = ddf_arena_alloc(arena, (fields->n + 1) * sizeof *table->columns, _Alignof(ddf_column), 0);
    if (table->columns == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < fields->n && !table->crowded; i++) {
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

int ddf_columns_build(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, const ddf_slice *names,
                      size_t names_n, ddf_table **out, ddf_err *err) {
    ddf_err local;
    err = err == NULL ? &local : err;
    ddf_table *table = ddf_table_new(arena, region, samples, n);
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
