#include "ddf_json_write.h"

#include <errno.h>

#include "ddf_msgpack.h"
#include "ddf_number_text.h"

/* Numbers for which room is made at once. */
#define NUMBERS 1024

typedef struct writer {
    const ddf_json_write_options *options;
    ddf_json_buffer *out;
    const char *msg;
} writer;

static int refuse(writer *to, int code, const char *msg) {
    to->msg = msg;
    return code;
}

static int put(writer *to, const void *text, size_t size) {
    return ddf_json_append(to->out, text, size);
}

/* Range `row` of offsets into `limit` items. */
static int range_of(writer *to, const int64_t *offsets, uint64_t row, uint64_t limit, ddf_span *out) {
    if (offsets[row] < 0 || offsets[row] > offsets[row + 1] || (uint64_t)offsets[row + 1] > limit) {
        return refuse(to, DDF_E_SPAN, "offsets are not ascending, or lead beyond the values");
    }
    *out = (ddf_span){(uint64_t)offsets[row], (uint64_t)offsets[row + 1]};
    return 0;
}

static int put_numbers(writer *to, const double *values, ddf_span range) {
    int status = put(to, "[", 1);
    for (uint64_t i = range.start; i < range.stop && status == 0;) {
        uint64_t stop = range.stop - i < NUMBERS ? range.stop : i + NUMBERS;
        status = ddf_json_reserve(to->out, (size_t)(stop - i) * (DDF_NUMBER_TEXT + 1));
        if (status != 0) {
            return status;
        }
        uint8_t *at = to->out->data + to->out->size;
        for (; i < stop; i++) {
            if (i > range.start) {
                *at++ = ',';
            }
            at += ddf_number_write(values[i], to->options->is_short, at);
        }
        to->out->size = (size_t)(at - to->out->data);
    }
    return status == 0 ? put(to, "]", 1) : status;
}

static int put_parts(writer *to, const ddf_json_field *field, ddf_span range) {
    int status = put(to, "[", 1);
    for (uint64_t part = range.start; part < range.stop && status == 0; part++) {
        ddf_span values;
        status = range_of(to, field->parts, part, field->n_values, &values);
        status = status == 0 && part > range.start ? put(to, ",", 1) : status;
        status = status == 0 ? put_numbers(to, field->values, values) : status;
    }
    return status == 0 ? put(to, "]", 1) : status;
}

static int needs_escape(uint8_t c) {
    return c < ' ' || c == '"' || c == '\\';
}

static size_t escape(uint8_t c, uint8_t *out) {
    static const char names[] = "\"\\bfnrt", characters[] = "\"\\\b\f\n\r\t", hex[] = "0123456789abcdef";
    const char *found = c == 0 ? NULL : strchr(characters, c);
    *out++ = '\\';
    if (found != NULL) {
        *out = (uint8_t)names[found - characters];
        return 2;
    }
    memcpy(out, "u00", 3);
    out[3] = (uint8_t)hex[c >> 4];
    out[4] = (uint8_t)hex[c & 15];
    return 6;
}

static int put_string(writer *to, const uint8_t *text, size_t size) {
    if (!ddf_utf8_valid(text, size)) {
        return refuse(to, DDF_E_UTF8, "a string is not UTF-8");
    }
    int status = ddf_json_reserve(to->out, 6 * size + 2);
    if (status != 0) {
        return status;
    }
    uint8_t *at = to->out->data + to->out->size;
    *at++ = '"';
    for (size_t i = 0; i < size;) {
        size_t start = i;
        while (i < size && !needs_escape(text[i])) {
            i++;
        }
        memcpy(at, text + start, i - start);
        at += i - start;
        if (i < size) {
            at += escape(text[i++], at);
        }
    }
    *at++ = '"';
    to->out->size = (size_t)(at - to->out->data);
    return 0;
}

static int put_scalar(writer *to, const ddf_json_field *field, uint64_t row) {
    if (row >= field->n_values) {
        return refuse(to, DDF_E_SPAN, "there are fewer values than rows");
    }
    if (field->kind == DDF_JSON_BOOL) {
        const char *text = ((const uint8_t *)field->values)[row] != 0 ? "true" : "false";
        return put(to, text, strlen(text));
    }
    int status = ddf_json_reserve(to->out, DDF_NUMBER_TEXT);
    if (status != 0) {
        return status;
    }
    uint8_t *at = to->out->data + to->out->size;
    to->out->size += field->kind == DDF_JSON_INT
                         ? ddf_integer_write(((const int64_t *)field->values)[row], at)
                         : ddf_number_write(((const double *)field->values)[row], to->options->is_short, at);
    return 0;
}

static int put_present(writer *to, const ddf_json_field *field, uint64_t row, int is_flat) {
    if (field->kind < DDF_JSON_STRING) {
        return put_scalar(to, field, row);
    }
    ddf_span range;
    uint64_t limit = field->kind != DDF_JSON_SEGMENTS ? field->n_values : field->n_parts > 0 ? field->n_parts - 1 : 0;
    int status = range_of(to, field->offsets, row, limit, &range);
    if (status != 0) {
        return status;
    }
    const uint8_t *text = field->values;
    size_t size = (size_t)(range.stop - range.start);
    switch (field->kind) {
    case DDF_JSON_STRING:
        return put_string(to, size == 0 ? text : text + range.start, size);
    case DDF_JSON_RAW:
        return size == 0 ? refuse(to, DDF_E_VALUE, "a row has an empty text for its value")
                         : put(to, text + range.start, size);
    case DDF_JSON_NUMBERS:
        return put_numbers(to, field->values, range);
    default:
        if (!is_flat) {
            return put_parts(to, field, range);
        }
        if (size != 1) {
            return refuse(to, DDF_E_VALUE, "a flat row does not have one part");
        }
        status = range_of(to, field->parts, range.start, field->n_values, &range);
        return status == 0 ? put_numbers(to, field->values, range) : status;
    }
}

static int put_other(writer *to, ddf_json_field *field, uint64_t row) {
    while (field->next_other < field->n_other_rows && field->other_rows[field->next_other] < (int64_t)row) {
        field->next_other++;
    }
    if (field->next_other == field->n_other_rows || field->other_rows[field->next_other] != (int64_t)row) {
        return refuse(to, DDF_E_VALUE, "a row with a value of another type has no text for it");
    }
    ddf_span range;
    int status = range_of(to, field->other_offsets, field->next_other, field->n_other, &range);
    return status == 0 ? put(to, field->other + range.start, (size_t)(range.stop - range.start)) : status;
}

/* Write a value, or the members of the object that stands for the field. */
static int put_value(writer *to, ddf_json_field *field, uint64_t row, ddf_json_state state) {
    if (field->literal.data != NULL) {
        return put(to, field->literal.data, (size_t)field->literal.size);
    }
    switch (state) {
    case DDF_JSON_MISSING:
    case DDF_JSON_NULL:
        return put(to, "null", 4);
    case DDF_JSON_PRESENT:
        return put_present(to, field, row, 0);
    case DDF_JSON_FLAT:
        if (field->kind == DDF_JSON_SEGMENTS) {
            return put_present(to, field, row, 1);
        }
        break;
    case DDF_JSON_OTHER:
        return put_other(to, field, row);
    }
    return refuse(to, DDF_E_VALUE, "a row has a state that its column cannot have");
}

/* Write the members of the object that a row is. */
static int put_members(writer *to, const ddf_json_field *field, uint64_t row, int is_first) {
    ddf_span range;
    int status = range_of(to, field->offsets, row, field->n_values, &range);
    if (status != 0) {
        return status;
    }
    const uint8_t *text = (const uint8_t *)field->values;
    uint64_t start = range.start, stop = range.stop;
    if (stop - start < 2 || text[start] != '{' || text[stop - 1] != '}') {
        return refuse(to, DDF_E_VALUE, "a row of the members to add is no object");
    }
    for (start++; start < stop && text[start] <= ' '; start++) {
    }
    if (start == stop - 1) {
        return 0;
    }
    status = is_first ? 0 : put(to, ",", 1);
    return status == 0 ? put(to, text + start, (size_t)(stop - 1 - start)) : status;
}

static int put_record(writer *to, ddf_json_field *fields, size_t n, uint64_t row, size_t *wrong) {
    int status = put(to, "{", 1);
    size_t start = to->out->size;
    for (size_t i = 0; i < n && status == 0; i++) {
        ddf_json_field *field = &fields[i];
        int is_first = to->out->size == start;
        ddf_json_state state = field->states == NULL ? DDF_JSON_PRESENT : (ddf_json_state)field->states[row];
        *wrong = i;
        if (field->name.size == 0) {
            status = state == DDF_JSON_PRESENT ? put_members(to, field, row, is_first) : 0;
        } else if (state != DDF_JSON_MISSING || to->options->missing_is_null || field->literal.data != NULL) {
            status = is_first ? 0 : put(to, ",", 1);
            status = status == 0 ? put(to, field->name.data, (size_t)field->name.size) : status;
            status = status == 0 ? put_value(to, field, row, state) : status;
        }
    }
    return status == 0 ? put(to, "}", 1) : status;
}

int64_t ddf_json_write(ddf_json_field *fields, size_t n, uint64_t row, uint64_t rows,
                       const ddf_json_write_options *options, ddf_json_buffer *out, ddf_err *err) {
    writer to = {.options = options, .out = out, .msg = "no memory for the text of records"};
    for (; row < rows && out->size < options->chunk_bytes; row++) {
        size_t wrong = 0;
        int status = row == 0 ? 0 : put(&to, options->between.data, (size_t)options->between.size);
        status = status == 0 ? put_record(&to, fields, n, row, &wrong) : status;
        if (status != 0) {
            return ddf_fail(err, status, to.msg, wrong, row);
        }
    }
    return (int64_t)row;
}

int ddf_json_write_numbers(const double *values, size_t n, int is_short, int64_t *offsets, ddf_json_buffer *out) {
    offsets[0] = (int64_t)out->size;
    for (size_t i = 0; i < n; i++) {
        if (ddf_json_reserve(out, DDF_NUMBER_TEXT) != 0) {
            return -ENOMEM;
        }
        out->size += ddf_number_write(values[i], is_short, out->data + out->size);
        offsets[i + 1] = (int64_t)out->size;
    }
    return 0;
}
