/* JSON text of any bytes: windows of any size read the same; what is accepted is JSON by plain recursion too; and what
 * was read is written as text that is read as the same. */
#include <stdlib.h>

#include "ddf_json.h"
#include "ddf_json_write.h"
#include "ddf_msgpack.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define NAME(text) .name = (const uint8_t *)(text), .name_size = sizeof(text) - 1
#define COLUMNS 7

/* What a reader says about a document. */
typedef struct outcome {
    int status;
    uint64_t pos, line, column, hash, records;
} outcome;

static void hash_bytes(outcome *out, const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        out->hash = (out->hash ^ data[i]) * 0x100000001b3u;
    }
    out->hash = (out->hash ^ size) * 0x100000001b3u;
}

static const uint8_t *space(const uint8_t *p, const uint8_t *end) {
    while (p < end && strchr(" \n\r\t", *p) != NULL && *p != 0) {
        p++;
    }
    return p;
}

static const uint8_t *text_end(const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = ++p;
    for (; p < end && *p != '"'; p++) {
        if (*p < ' ') {
            return NULL;
        }
        if (*p == '\\') {
            p++;
            if (p == end || *p == 0 || strchr("\"\\/bfnrtu", *p) == NULL) {
                return NULL;
            }
            for (int i = *p == 'u' ? 4 : 0; i > 0; i--) {
                p++;
                if (p >= end || *p == 0 || strchr("0123456789abcdefABCDEF", *p) == NULL) {
                    return NULL;
                }
            }
        }
    }
    return p < end && ddf_utf8_valid(start, (size_t)(p - start)) ? p + 1 : NULL;
}

static const uint8_t *digits_end(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

static const uint8_t *number_end(const uint8_t *p, const uint8_t *end) {
    p += *p == '-';
    const uint8_t *q = digits_end(p, end);
    if (q == p || (*p == '0' && q > p + 1)) {
        return NULL;
    }
    if (q < end && *q == '.') {
        p = q + 1;
        q = digits_end(p, end);
        if (q == p) {
            return NULL;
        }
    }
    if (q < end && (*q == 'e' || *q == 'E')) {
        p = q + 1;
        p += p < end && (*p == '-' || *p == '+');
        q = digits_end(p, end);
        return q == p ? NULL : q;
    }
    return q;
}

/* The end of the value at `p`, by plain recursion, or NULL. */
static const uint8_t *value_end(const uint8_t *p, const uint8_t *end, unsigned depth) {
    static const char *const words[] = {"null", "true", "false", "NaN", "Infinity", "-Infinity"};
    if (p == end || depth > DDF_JSON_MAX_DEPTH + 3) {
        return NULL;
    }
    if (*p == '"') {
        return text_end(p, end);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(end - p) >= size && memcmp(p, words[i], size) == 0) {
            return p + size;
        }
    }
    if (*p != '[' && *p != '{') {
        return number_end(p, end);
    }
    uint8_t close = *p == '[' ? ']' : '}';
    p = space(p + 1, end);
    if (p < end && *p == close) {
        return p + 1;
    }
    for (;;) {
        if (close == '}') {
            p = p < end && *p == '"' ? text_end(p, end) : NULL;
            p = p == NULL ? NULL : space(p, end);
            if (p == NULL || p == end || *p != ':') {
                return NULL;
            }
            p = space(p + 1, end);
        }
        p = value_end(p, end, depth + 1);
        p = p == NULL ? NULL : space(p, end);
        if (p == NULL || p == end || (*p != ',' && *p != close)) {
            return NULL;
        }
        if (*p == close) {
            return p + 1;
        }
        p = space(p + 1, end);
    }
}

static int is_json(const uint8_t *p, size_t size) {
    const uint8_t *end = p + size;
    p += size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    p = value_end(space(p, end), end, 0);
    return p != NULL && space(p, end) == end;
}

static int64_t *widened(const ddf_json_buffer *offsets) {
    size_t n = offsets->size / sizeof(int32_t);
    int64_t *result = calloc(n + 1, sizeof *result);
    REQUIRE(result != NULL);
    for (size_t i = 0; i < n; i++) {
        int32_t value;
        memcpy(&value, offsets->data + i * sizeof value, sizeof value);
        result[i] = value;
    }
    return result;
}

/* Text of the chunk, as an array. */
static void write_chunk(const ddf_json_array *array, ddf_json_buffer *text) {
    static const char *const names[] = {"\"i\":", "\"n\":", "\"b\":", "\"s\":", "\"l\":", "\"g\":", "\"r\":"};
    ddf_json_field fields[COLUMNS] = {0};
    for (size_t i = 0; i < COLUMNS; i++) {
        const ddf_json_column *column = &array->columns[i];
        size_t width = column->kind == DDF_JSON_BOOL || column->kind == DDF_JSON_STRING || column->kind == DDF_JSON_RAW
                           ? 1
                           : 8;
        fields[i] = (ddf_json_field){
            .name = {(const uint8_t *)names[i], 4},
            .kind = column->kind,
            .states = column->states.data,
            .values = column->values.data,
            .n_values = column->values.size / width,
            .offsets = widened(&column->offsets),
            .parts = widened(&column->parts),
            .n_parts = column->parts.size / sizeof(int32_t),
            .other_rows = (const int32_t *)(const void *)column->other_rows.data,
            .other_offsets = widened(&column->other_offsets),
            .other = column->other.data,
            .n_other_rows = column->other_rows.size / sizeof(int32_t),
            .n_other = column->other.size,
        };
    }
    const ddf_json_write_options options = {.between = {(const uint8_t *)",", 1}, .chunk_bytes = SIZE_MAX};
    ddf_err err;
    REQUIRE(ddf_json_append(text, "[", 1) == 0);
    REQUIRE(ddf_json_write(fields, COLUMNS, 0, array->rows, &options, text, &err) == (int64_t)array->rows);
    REQUIRE(ddf_json_append(text, "]", 1) == 0 && is_json(text->data, text->size));
    for (size_t i = 0; i < COLUMNS; i++) {
        free((void *)(uintptr_t)fields[i].offsets);
        free((void *)(uintptr_t)fields[i].parts);
        free((void *)(uintptr_t)fields[i].other_offsets);
    }
}

static outcome read_text(const uint8_t *data, size_t size, size_t window, size_t records, int is_again);

static void take_chunk(const ddf_json_array *array, outcome *out, int is_again) {
    outcome part = {0};
    for (size_t i = 0; i < COLUMNS; i++) {
        const ddf_json_column *column = &array->columns[i];
        REQUIRE(column->rows == array->rows && column->states.size == array->rows);
        hash_bytes(&part, column->states.data, column->states.size);
        hash_bytes(&part, column->values.data, column->values.size);
        hash_bytes(&part, column->offsets.data, column->offsets.size);
        hash_bytes(&part, column->parts.data, column->parts.size);
        hash_bytes(&part, column->other_rows.data, column->other_rows.size);
        hash_bytes(&part, column->other.data, column->other.size);
    }
    if (!is_again && array->rows > 0) {
        ddf_json_buffer text = {0};
        write_chunk(array, &text);
        outcome again = read_text(text.data, text.size, 64, SIZE_MAX, 1);
        REQUIRE(again.status == DDF_JSON_DONE && again.hash == part.hash);
        ddf_json_buffer_free(&text);
    }
    out->records += array->rows;
    if (is_again) {
        out->hash = part.hash;
        return;
    }
    hash_bytes(out, (const uint8_t *)&part.hash, sizeof part.hash);
    hash_bytes(out, array->extra.values.data, array->extra.values.size);
}

static void run(ddf_json *json, const uint8_t *data, size_t size, outcome *out, int is_again) {
    size_t at = 0, room;
    ddf_err err;
    while ((out->status = ddf_json_run(json, &err)) >= 0 && out->status != DDF_JSON_DONE) {
        if (out->status == DDF_JSON_CHUNK) {
            take_chunk(ddf_json_chunk(json), out, is_again);
        } else if (out->status == DDF_JSON_MEMBER) {
            ddf_json_rest rest;
            ddf_json_member(json, &rest);
            hash_bytes(out, rest.name.data, rest.name.size);
            hash_bytes(out, rest.text.data, rest.text.size);
            REQUIRE(rest.start + rest.size <= size && is_json(data + rest.start, rest.size));
        } else {
            uint8_t *to = ddf_json_room(json, &room, &err);
            REQUIRE(to != NULL && room > 0);
            room = room < size - at ? room : size - at;
            memcpy(to, data + at, room);
            ddf_json_fed(json, room);
            at += room;
            if (at == size) {
                ddf_json_end(json);
            }
        }
    }
    if (out->status < 0) {
        REQUIRE(err.pos <= size && err.code == out->status);
        out->pos = err.pos;
        ddf_json_place(json, err.pos, &out->line, &out->column);
    }
}

static outcome read_text(const uint8_t *data, size_t size, size_t window, size_t records, int is_again) {
    ddf_json_column columns[2][COLUMNS] = {{
        {.kind = DDF_JSON_INT, NAME("i")},
        {.kind = DDF_JSON_NUMBER, NAME("n")},
        {.kind = DDF_JSON_BOOL, NAME("b")},
        {.kind = DDF_JSON_STRING, NAME("s")},
        {.kind = DDF_JSON_NUMBERS, NAME("l")},
        {.kind = DDF_JSON_SEGMENTS, NAME("g")},
        {.kind = DDF_JSON_RAW, NAME("r")},
    }};
    memcpy(columns[1], columns[0], sizeof columns[0]);
    ddf_json_array arrays[] = {
        {NAME("a"), .columns = columns[0], .n_columns = COLUMNS, .has_extra = 1, .extra = {.kind = DDF_JSON_RAW}},
        {NAME(""), .columns = columns[1], .n_columns = COLUMNS},
    };
    const ddf_json_options options = {window, (size_t)1 << 30, records, (size_t)1 << 29, 1 << 20};
    outcome out = {0};
    ddf_json *json = ddf_json_new(arrays, 2, &options);
    REQUIRE(json != NULL);
    run(json, data, size, &out, is_again);
    ddf_json_free(json);
    ddf_json_array_free(&arrays[0]);
    ddf_json_array_free(&arrays[1]);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 2 bytes that choose, then the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    size_t records = 1 + data[0] % 4, window = 1 + data[1];
    data += 2;
    size -= 2;
    outcome whole = read_text(data, size, size + 1, records, 0), part = read_text(data, size, window, records, 0);
    REQUIRE(whole.status == part.status && whole.pos == part.pos && whole.hash == part.hash);
    REQUIRE(whole.line == part.line && whole.column == part.column && whole.records == part.records);
    if (whole.status == DDF_JSON_DONE) {
        REQUIRE(is_json(data, size));
    } else if (whole.status == DDF_E_TRUNCATED || whole.status == DDF_E_UTF8) {
        REQUIRE(!is_json(data, size));
    }
    return 0;
}
