#include "ddf_json_column.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LEAST_ROOM 256

int ddf_json_grow(ddf_json_buffer *buffer, size_t more) {
    size_t need = buffer->size + more, room = buffer->room > 0 ? 2 * buffer->room : buffer->hint;
    room = room < LEAST_ROOM ? LEAST_ROOM : room;
    room = room < need ? need : room;
    uint8_t *data = realloc(buffer->data, room);
    if (data == NULL) {
        return -ENOMEM;
    }
    buffer->data = data;
    buffer->room = room;
    return 0;
}

int ddf_json_append(ddf_json_buffer *buffer, const void *data, size_t size) {
    int status = ddf_json_reserve(buffer, size);
    if (status == 0 && size > 0) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
    return status;
}

uint8_t *ddf_json_release(ddf_json_buffer *buffer) {
    uint8_t *data = buffer->data, *smaller = NULL;
    if (buffer->size > 0 && buffer->size < buffer->room) {
        smaller = realloc(data, buffer->size);
    }
    *buffer = (ddf_json_buffer){.hint = buffer->size};
    return smaller != NULL ? smaller : data;
}

void ddf_json_buffer_free(ddf_json_buffer *buffer) {
    free(buffer->data);
    *buffer = (ddf_json_buffer){0};
}

static int put_offset(ddf_json_buffer *buffer, size_t offset) {
    int32_t value = (int32_t)offset;
    return ddf_json_append(buffer, &value, sizeof value);
}

static size_t last_offset(const ddf_json_buffer *buffer, size_t position) {
    int32_t value;
    memcpy(&value, buffer->data + position * sizeof value, sizeof value);
    return (size_t)value;
}

static size_t item_size(const ddf_json_column *column) {
    switch (column->kind) {
    case DDF_JSON_BOOL:
    case DDF_JSON_STRING:
    case DDF_JSON_RAW:
        return 1;
    default:
        return 8;
    }
}

static int has_offsets(const ddf_json_column *column) {
    return column->kind >= DDF_JSON_STRING;
}

int ddf_json_column_begin(ddf_json_column *column) {
    column->rows = 0;
    column->states.size = column->values.size = column->offsets.size = column->parts.size = 0;
    column->other_rows.size = column->other_offsets.size = column->other.size = 0;
    int status = has_offsets(column) ? put_offset(&column->offsets, 0) : 0;
    return status == 0 && column->kind == DDF_JSON_SEGMENTS ? put_offset(&column->parts, 0) : status;
}

void ddf_json_column_free(ddf_json_column *column) {
    ddf_json_buffer *const all[] = {&column->states,     &column->values,        &column->offsets, &column->parts,
                                    &column->other_rows, &column->other_offsets, &column->other};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ddf_json_buffer_free(all[i]);
    }
}

int ddf_json_put_int(ddf_json_column *column, int64_t value) {
    return ddf_json_append(&column->values, &value, sizeof value);
}

int ddf_json_put_double(ddf_json_column *column, double value) {
    return ddf_json_append(&column->values, &value, sizeof value);
}

int ddf_json_put_bool(ddf_json_column *column, int value) {
    uint8_t byte = value != 0;
    return ddf_json_append(&column->values, &byte, 1);
}

int ddf_json_end_part(ddf_json_column *column) {
    return put_offset(&column->parts, column->values.size / sizeof(double));
}

int ddf_json_put_other(ddf_json_column *column, const uint8_t *text, size_t size) {
    int status = column->other_offsets.size == 0 ? put_offset(&column->other_offsets, 0) : 0;
    status = status == 0 ? put_offset(&column->other_rows, column->rows) : status;
    status = status == 0 ? ddf_json_append(&column->other, text, size) : status;
    return status == 0 ? put_offset(&column->other_offsets, column->other.size) : status;
}

int ddf_json_end_row(ddf_json_column *column, ddf_json_state state) {
    int status = 0;
    uint8_t byte = (uint8_t)state;
    if (has_offsets(column)) {
        size_t count = column->kind == DDF_JSON_SEGMENTS ? column->parts.size / sizeof(int32_t) - 1
                                                         : column->values.size / item_size(column);
        status = put_offset(&column->offsets, count);
    } else if (state != DDF_JSON_PRESENT) {
        status = column->kind == DDF_JSON_BOOL     ? ddf_json_put_bool(column, 0)
                 : column->kind == DDF_JSON_NUMBER ? ddf_json_put_double(column, NAN)
                                                   : ddf_json_put_int(column, 0);
    }
    status = status == 0 ? ddf_json_append(&column->states, &byte, 1) : status;
    column->rows += status == 0;
    return status;
}

/* Forget texts of `row` and later ones. */
static void truncate_other(ddf_json_column *column, size_t row) {
    size_t count = column->other_rows.size / sizeof(int32_t);
    while (count > 0 && last_offset(&column->other_rows, count - 1) >= row) {
        count--;
    }
    column->other_rows.size = count * sizeof(int32_t);
    if (column->other_offsets.size > 0) {
        column->other_offsets.size = (count + 1) * sizeof(int32_t);
        column->other.size = last_offset(&column->other_offsets, count);
    }
}

void ddf_json_truncate(ddf_json_column *column, size_t row) {
    size_t values = row;
    if (has_offsets(column)) {
        values = last_offset(&column->offsets, row);
        column->offsets.size = (row + 1) * sizeof(int32_t);
    }
    if (column->kind == DDF_JSON_SEGMENTS) {
        column->parts.size = (values + 1) * sizeof(int32_t);
        values = last_offset(&column->parts, values);
    }
    column->values.size = values * item_size(column);
    column->states.size = row;
    column->rows = row;
    truncate_other(column, row);
}

size_t ddf_json_column_size(const ddf_json_column *column) {
    return column->values.size + column->offsets.size + column->parts.size + column->other.size;
}
