#include <assert.h>
#include <stdlib.h>

#include "ddf_json_write.h"

#define SLICE(text) {(const uint8_t *)(text), sizeof(text) - 1}

static const ddf_json_write_options OPTIONS = {.is_short = 1, .between = SLICE(","), .chunk_bytes = 1 << 20};

static int64_t write_rows(ddf_json_field *fields, size_t n, uint64_t rows, const char *expected, ddf_err *err) {
    ddf_json_buffer out = {0};
    int64_t status = ddf_json_write(fields, n, 0, rows, &OPTIONS, &out, err);
    assert(expected == NULL || (out.size == strlen(expected) && memcmp(out.data, expected, out.size) == 0));
    ddf_json_buffer_free(&out);
    return status;
}

static void fields_of_all_kinds_are_written(void) {
    const int64_t ids[] = {1, -2}, lists[] = {0, 2, 2}, segments[] = {0, 2, 3}, parts[] = {0, 1, 1, 3}, texts[] = {0, 2, 5};
    const double areas[] = {1, 2.5, 3};
    const uint8_t flags[] = {1, 0};
    ddf_json_field fields[] = {
        {.name = SLICE("\"a\":"), .kind = DDF_JSON_INT, .values = ids, .n_values = 2},
        {.name = SLICE("\"b\":"), .kind = DDF_JSON_NUMBER, .values = areas, .n_values = 3},
        {.name = SLICE("\"c\":"), .kind = DDF_JSON_BOOL, .values = flags, .n_values = 2},
        {.name = SLICE("\"d\":"), .kind = DDF_JSON_STRING, .values = "x\"\n\x01y", .n_values = 5, .offsets = texts},
        {.name = SLICE("\"e\":"), .kind = DDF_JSON_NUMBERS, .values = areas, .n_values = 3, .offsets = lists},
        {.name = SLICE("\"f\":"), .kind = DDF_JSON_SEGMENTS, .values = areas, .n_values = 3, .offsets = segments,
         .parts = parts, .n_parts = 4},
        {.name = SLICE("\"g\":"), .kind = DDF_JSON_RAW, .values = "[]{ }", .n_values = 5, .offsets = texts},
        {.name = SLICE("\"h\":"), .literal = SLICE("null")},
        {.kind = DDF_JSON_RAW, .values = "{}{ }", .n_values = 5, .offsets = texts},
    };
    ddf_err err;
    assert(write_rows(fields, 9, 2,
                      "{\"a\":1,\"b\":1,\"c\":true,\"d\":\"x\\\"\",\"e\":[1,2.5],\"f\":[[1],[]],\"g\":[],\"h\":null},"
                      "{\"a\":-2,\"b\":2.5,\"c\":false,\"d\":\"\\n\\u0001y\",\"e\":[],\"f\":[[2.5,3]],\"g\":{ },\"h\":null}",
                      &err) == 2);
}

static void states_decide_what_is_written(void) {
    const uint8_t states[] = {DDF_JSON_OTHER, DDF_JSON_MISSING, DDF_JSON_PRESENT, DDF_JSON_NULL, DDF_JSON_OTHER};
    const int64_t ids[5] = {0, 0, 3}, bounds[] = {0, 3, 5};
    const int32_t rows[] = {0, 4};
    ddf_json_field field = {.name = SLICE("\"a\":"), .kind = DDF_JSON_INT, .states = states, .values = ids,
                            .n_values = 5, .other_rows = rows, .other_offsets = bounds,
                            .other = (const uint8_t *)"\"x\"[]", .n_other_rows = 2, .n_other = 5};
    ddf_err err;
    assert(write_rows(&field, 1, 5, "{\"a\":\"x\"},{},{\"a\":3},{\"a\":null},{\"a\":[]}", &err) == 5);
}

static void nothing_beyond_the_columns_is_read(void) {
    const int64_t wrong[][2] = {{0, 4}, {2, 1}, {-1, 0}, {INT64_MIN, INT64_MAX}};
    const int64_t good[] = {0, 1};
    double *values = malloc(3 * sizeof *values); /* of its very size, so that reading past it shows */
    assert(values != NULL);
    for (size_t i = 0; i < 3; i++) {
        values[i] = 1;
    }
    ddf_err err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        for (int kind = DDF_JSON_STRING; kind < DDF_JSON_KINDS; kind++) {
            ddf_json_field field = {.name = SLICE("\"a\":"), .kind = (ddf_json_kind)kind, .values = values,
                                    .n_values = 3, .offsets = kind == DDF_JSON_SEGMENTS ? good : wrong[i],
                                    .parts = wrong[i], .n_parts = 2};
            assert(write_rows(&field, 1, 1, NULL, &err) == DDF_E_SPAN && err.item == 0 && err.pos == 0);
        }
    }
    ddf_json_field scalar = {.name = SLICE("\"a\":"), .kind = DDF_JSON_NUMBER, .values = values, .n_values = 3};
    assert(write_rows(&scalar, 1, 4, NULL, &err) == DDF_E_SPAN && err.pos == 3);
    free(values);
}

static void a_call_ends_where_the_chunk_is_full(void) {
    const int64_t ids[] = {1, 2, 3};
    ddf_json_field field = {.name = SLICE("\"a\":"), .kind = DDF_JSON_INT, .values = ids, .n_values = 3};
    ddf_json_write_options options = OPTIONS;
    options.chunk_bytes = 8;
    ddf_json_buffer out = {0};
    ddf_err err;
    assert(ddf_json_write(&field, 1, 0, 3, &options, &out, &err) == 2);
    out.size = 0;
    assert(ddf_json_write(&field, 1, 2, 3, &options, &out, &err) == 3);
    assert(out.size == 8 && memcmp(out.data, ",{\"a\":3}", 8) == 0);
    ddf_json_buffer_free(&out);
}

int main(void) {
    fields_of_all_kinds_are_written();
    states_decide_what_is_written();
    nothing_beyond_the_columns_is_read();
    a_call_ends_where_the_chunk_is_full();
    return 0;
}
