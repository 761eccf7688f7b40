#include "ddf_json_record.h"

#include <errno.h>

/* What a list of numbers turned out to be. */
enum { NO_NUMBERS = 2 };

static const uint8_t *no_memory(ddf_json_text *text, const uint8_t *p) {
    *text = (ddf_json_text){text->end, -ENOMEM, "no memory for the values of a JSON file", p};
    return NULL;
}

/* End the row of a value that was read up to `next`, which is returned, unless `status` or the end of the row fails. */
static const uint8_t *end_row(ddf_json_text *text, ddf_json_column *column, ddf_json_state state, int status,
                              const uint8_t *next) {
    return status != 0 || ddf_json_end_row(column, state) != 0 ? no_memory(text, next) : next;
}

/* Keep the text of a value that is of another type than its column. */
static const uint8_t *read_other(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    ddf_json_truncate(column, column->rows);
    const uint8_t *next = ddf_json_skip_value(text, p);
    if (next == NULL) {
        return NULL;
    }
    return end_row(text, column, DDF_JSON_OTHER, ddf_json_put_other(column, p, (size_t)(next - p)), next);
}

static const uint8_t *read_int(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    ddf_number number;
    const uint8_t *next = ddf_json_number(text, p, &number);
    if (next == NULL) {
        return NULL;
    }
    if (!number.is_integer) {
        return read_other(text, column, p);
    }
    return end_row(text, column, DDF_JSON_PRESENT, ddf_json_put_int(column, number.integer), next);
}

static const uint8_t *read_double(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    double value;
    const uint8_t *next = ddf_json_double(text, p, &value);
    return next == NULL ? NULL
                        : end_row(text, column, DDF_JSON_PRESENT, ddf_json_put_double(column, value), next);
}

static const uint8_t *read_bool(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    int value = *p == 't';
    const uint8_t *next = ddf_json_literal(text, p, value ? "true" : "false");
    return next == NULL ? NULL : end_row(text, column, DDF_JSON_PRESENT, ddf_json_put_bool(column, value), next);
}

static const uint8_t *read_string(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    ddf_json_string string;
    const uint8_t *next = ddf_json_string_read(text, p, &string);
    if (next == NULL) {
        return NULL;
    }
    ddf_json_buffer *values = &column->values;
    if (ddf_json_reserve(values, string.size + 1) != 0) {
        return no_memory(text, p);
    }
    int64_t size = ddf_json_unescape(&string, values->data + values->size);
    if (size < 0) {
        return read_other(text, column, p);
    }
    values->size += (size_t)size;
    return end_row(text, column, DDF_JSON_PRESENT, 0, next);
}

/* Read the numbers of the list at `p`. Returns the first byte after it, or NULL with the reason in `text`: NO_NUMBERS
 * if the list contains something else. */
static const uint8_t *read_list(ddf_json_text *text, ddf_json_buffer *values, const uint8_t *p) {
    p = ddf_json_space(p + 1);
    if (*p == ']') {
        return p + 1;
    }
    for (;;) {
        if (!ddf_json_begins_number(*p)) {
            text->status = p == text->end ? DDF_JSON_MORE : NO_NUMBERS;
            return NULL;
        }
        if (ddf_json_reserve(values, sizeof(double)) != 0) {
            return no_memory(text, p);
        }
        double value;
        p = ddf_json_double(text, p, &value);
        if (p == NULL) {
            return NULL;
        }
        memcpy(values->data + values->size, &value, sizeof value);
        values->size += sizeof value;
        p = ddf_json_space(p);
        if (*p != ',') {
            break;
        }
        p = ddf_json_space(p + 1);
    }
    if (*p != ']') {
        return ddf_json_fail(text, p, DDF_E_SYNTAX, "a comma or a closing bracket is expected");
    }
    return p + 1;
}

/* Read the lists of numbers in the list at `p`: as read_list. */
static const uint8_t *read_lists(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    p = ddf_json_space(p + 1);
    if (*p == ']') {
        return p + 1;
    }
    for (;;) {
        if (*p != '[') {
            text->status = p == text->end ? DDF_JSON_MORE : NO_NUMBERS;
            return NULL;
        }
        p = read_list(text, &column->values, p);
        if (p == NULL) {
            return NULL;
        }
        if (ddf_json_end_part(column) != 0) {
            return no_memory(text, p);
        }
        p = ddf_json_space(p);
        if (*p != ',') {
            break;
        }
        p = ddf_json_space(p + 1);
    }
    if (*p != ']') {
        return ddf_json_fail(text, p, DDF_E_SYNTAX, "a comma or a closing bracket is expected");
    }
    return p + 1;
}

static const uint8_t *read_numbers(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    ddf_json_state state = DDF_JSON_PRESENT;
    const uint8_t *next;
    if (column->kind == DDF_JSON_NUMBERS) {
        next = read_list(text, &column->values, p);
    } else if (ddf_json_begins_number(*ddf_json_space(p + 1))) {
        state = DDF_JSON_FLAT;
        next = read_list(text, &column->values, p);
        if (next != NULL && ddf_json_end_part(column) != 0) {
            return no_memory(text, p);
        }
    } else {
        next = read_lists(text, column, p);
    }
    if (next == NULL) {
        return text->status == NO_NUMBERS ? read_other(text, column, p) : NULL;
    }
    return end_row(text, column, state, 0, next);
}

static const uint8_t *read_raw(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    const uint8_t *next = ddf_json_skip_value(text, p);
    if (next == NULL) {
        return NULL;
    }
    int status = ddf_json_append(&column->values, p, (size_t)(next - p));
    return end_row(text, column, DDF_JSON_PRESENT, status, next);
}

static const uint8_t *read_null(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    const uint8_t *next = ddf_json_literal(text, p, "null");
    return next == NULL ? NULL : end_row(text, column, DDF_JSON_NULL, 0, next);
}

static const uint8_t *read_value(ddf_json_text *text, ddf_json_column *column, const uint8_t *p) {
    if (*p == 'n') {
        return read_null(text, column, p);
    }
    switch (column->kind) {
    case DDF_JSON_INT:
        return ddf_json_begins_number(*p) ? read_int(text, column, p) : read_other(text, column, p);
    case DDF_JSON_NUMBER:
        return ddf_json_begins_number(*p) ? read_double(text, column, p) : read_other(text, column, p);
    case DDF_JSON_BOOL:
        return *p == 't' || *p == 'f' ? read_bool(text, column, p) : read_other(text, column, p);
    case DDF_JSON_STRING:
        return *p == '"' ? read_string(text, column, p) : read_other(text, column, p);
    case DDF_JSON_NUMBERS:
    case DDF_JSON_SEGMENTS:
        return *p == '[' ? read_numbers(text, column, p) : read_other(text, column, p);
    default:
        return read_raw(text, column, p);
    }
}

/* Whether the current record has no member without a column so far. */
static int has_no_extra(const ddf_json_array *array) {
    int32_t start;
    memcpy(&start, array->extra.offsets.data + array->rows * sizeof start, sizeof start);
    return array->extra.values.size == (size_t)start;
}

/* Add a member, its text from `p` to the end of its value, to the object of those without a column. */
static const uint8_t *read_extra(ddf_json_text *text, ddf_json_array *array, const uint8_t *p, const uint8_t *value) {
    const uint8_t *next = ddf_json_skip_value(text, value);
    if (next == NULL || !array->has_extra) {
        return next;
    }
    ddf_json_buffer *values = &array->extra.values;
    return ddf_json_append(values, has_no_extra(array) ? "{" : ",", 1) != 0 || ddf_json_append(values, p, (size_t)(next - p)) != 0
               ? no_memory(text, p)
               : next;
}

static int is_named(const ddf_json_column *column, const uint8_t *name, size_t size) {
    return column->name_size == size && memcmp(column->name, name, size) == 0;
}

/* The column of the member with this name, which is the record's `position`-th, or NULL. */
static ddf_json_column *column_of(ddf_json_array *array, const uint8_t *name, size_t size, size_t position) {
    size_t remembered = position < DDF_JSON_REMEMBERED ? array->remembered[position] : 0;
    if (remembered > 0 && is_named(&array->columns[remembered - 1], name, size)) {
        return &array->columns[remembered - 1];
    }
    for (size_t i = 0; i < array->n_columns; i++) {
        if (is_named(&array->columns[i], name, size)) {
            if (position < DDF_JSON_REMEMBERED) {
                array->remembered[position] = (uint16_t)(i + 1);
            }
            return &array->columns[i];
        }
    }
    return NULL;
}

/* The same for a name as it is in the text. Returns 0 or -ENOMEM. */
static int find_column(ddf_json_array *array, const ddf_json_string *name, size_t position, ddf_json_column **out) {
    if (!name->is_escaped) {
        *out = column_of(array, name->data, name->size, position);
        return 0;
    }
    array->scratch.size = 0;
    if (ddf_json_reserve(&array->scratch, name->size) != 0) {
        return -ENOMEM;
    }
    int64_t size = ddf_json_unescape(name, array->scratch.data);
    *out = size < 0 ? NULL : column_of(array, array->scratch.data, (size_t)size, position);
    return 0;
}

static const uint8_t *read_member(ddf_json_text *text, ddf_json_array *array, const uint8_t *p, size_t position) {
    ddf_json_string name;
    ddf_json_column *column;
    const uint8_t *value = ddf_json_string_read(text, p, &name);
    value = value == NULL ? NULL : ddf_json_colon(text, value);
    if (value == NULL) {
        return NULL;
    }
    if (find_column(array, &name, position, &column) != 0) {
        return no_memory(text, p);
    }
    if (column == NULL) {
        return read_extra(text, array, p, value);
    }
    if (DDF_UNLIKELY(column->rows > array->rows)) {
        ddf_json_truncate(column, array->rows);
    }
    return read_value(text, column, value);
}

/* End the row of all columns. Returns 0 or -ENOMEM. */
static int end_record(ddf_json_array *array) {
    int status = 0;
    for (size_t i = 0; i < array->n_columns && status == 0; i++) {
        if (array->columns[i].rows == array->rows) {
            status = ddf_json_end_row(&array->columns[i], DDF_JSON_MISSING);
        }
    }
    if (status == 0 && array->has_extra) {
        int is_empty = has_no_extra(array);
        status = is_empty ? 0 : ddf_json_append(&array->extra.values, "}", 1);
        status = status == 0 ? ddf_json_end_row(&array->extra, is_empty ? DDF_JSON_MISSING : DDF_JSON_PRESENT) : status;
    }
    array->rows += status == 0;
    return status;
}

static const uint8_t *read_members(ddf_json_text *text, ddf_json_array *array, const uint8_t *p) {
    if (*p != '{') {
        return ddf_json_fail(text, p, DDF_E_SYNTAX, "a record, which is an object, is expected");
    }
    p = ddf_json_space(p + 1);
    if (*p == '}') {
        return p + 1;
    }
    for (size_t position = 0;; position++) {
        p = read_member(text, array, p, position);
        if (p == NULL) {
            return NULL;
        }
        p = ddf_json_space(p);
        if (*p != ',') {
            break;
        }
        p = ddf_json_space(p + 1);
    }
    if (*p != '}') {
        return ddf_json_fail(text, p, DDF_E_SYNTAX, "a comma or a closing brace is expected");
    }
    return p + 1;
}

int ddf_json_record_read(ddf_json_text *text, ddf_json_array *array, const uint8_t **p) {
    const uint8_t *next = read_members(text, array, *p);
    if (next != NULL && end_record(array) != 0) {
        next = no_memory(text, *p);
    }
    if (next == NULL) {
        for (size_t i = 0; i < array->n_columns; i++) {
            ddf_json_truncate(&array->columns[i], array->rows);
        }
        if (array->has_extra) {
            ddf_json_truncate(&array->extra, array->rows);
        }
        return text->status;
    }
    *p = next;
    return DDF_OK;
}

int ddf_json_array_begin(ddf_json_array *array) {
    int status = array->has_extra ? ddf_json_column_begin(&array->extra) : 0;
    for (size_t i = 0; i < array->n_columns && status == 0; i++) {
        status = ddf_json_column_begin(&array->columns[i]);
    }
    array->rows = 0;
    array->is_begun = status == 0;
    return status;
}

void ddf_json_array_free(ddf_json_array *array) {
    for (size_t i = 0; i < array->n_columns; i++) {
        ddf_json_column_free(&array->columns[i]);
    }
    ddf_json_column_free(&array->extra);
    ddf_json_buffer_free(&array->scratch);
}

size_t ddf_json_array_size(const ddf_json_array *array) {
    size_t size = array->has_extra ? ddf_json_column_size(&array->extra) : 0;
    for (size_t i = 0; i < array->n_columns; i++) {
        size += ddf_json_column_size(&array->columns[i]);
    }
    return size;
}
