#include <assert.h>
#include <stdlib.h>

#include "ddf_json.h"

#define NAME(text) .name = (const uint8_t *)(text), .name_size = sizeof(text) - 1

/* The values of a document, one after another, whatever the chunks are. */
typedef struct result {
    int status;
    ddf_err err;
    uint64_t line, column, records;
    size_t chunks, members;
    ddf_json_buffer all;
} result;

typedef struct limits {
    size_t window, max_record, chunk_records, max_rest;
} limits;

static const limits WIDE = {1 << 16, 1 << 20, 1000, 1 << 16};

static void keep(result *out, const void *data, size_t size) {
    assert(ddf_json_append(&out->all, data, size) == 0);
}

static void keep_chunk(result *out, const ddf_json_array *array) {
    out->chunks++;
    out->records += array->rows;
    for (size_t i = 0; i < array->n_columns; i++) {
        const ddf_json_column *column = &array->columns[i];
        assert(column->rows == array->rows && column->states.size == array->rows);
        keep(out, column->states.data, column->states.size);
        keep(out, column->values.data, column->values.size);
        keep(out, column->offsets.data, column->offsets.size);
        keep(out, column->parts.data, column->parts.size);
        keep(out, column->other.data, column->other.size);
    }
    keep(out, array->extra.values.data, array->extra.values.size);
}

static void run(ddf_json *json, const char *text, size_t size, result *out) {
    size_t at = 0;
    for (;;) {
        int event = out->status = ddf_json_run(json, &out->err);
        if (event == DDF_JSON_CHUNK) {
            keep_chunk(out, ddf_json_chunk(json));
        } else if (event == DDF_JSON_MEMBER) {
            ddf_json_rest rest;
            ddf_json_member(json, &rest);
            out->members++;
            keep(out, rest.name.data, rest.name.size);
            keep(out, rest.text.data, rest.text.size);
            assert(rest.text.data == NULL || (rest.size == rest.text.size &&
                                              memcmp(rest.text.data, text + rest.start, rest.size) == 0));
        } else if (event == DDF_JSON_FEED) {
            size_t room;
            uint8_t *data = ddf_json_room(json, &room, &out->err);
            if (data == NULL) {
                out->status = out->err.code;
                break;
            }
            room = room < size - at ? room : size - at;
            memcpy(data, text + at, room);
            ddf_json_fed(json, room);
            at += room;
            if (at == size) {
                ddf_json_end(json);
            }
        } else {
            break;
        }
    }
    if (out->status < 0) {
        ddf_json_place(json, out->err.pos, &out->line, &out->column);
    }
}

static result read_document(const char *text, size_t size, limits limits) {
    ddf_json_column annotations[] = {
        {.kind = DDF_JSON_INT, NAME("id")},         {.kind = DDF_JSON_NUMBER, NAME("area")},
        {.kind = DDF_JSON_BOOL, NAME("crowd")},     {.kind = DDF_JSON_STRING, NAME("name")},
        {.kind = DDF_JSON_NUMBERS, NAME("bbox")},   {.kind = DDF_JSON_SEGMENTS, NAME("segmentation")},
        {.kind = DDF_JSON_RAW, NAME("attributes")},
    };
    ddf_json_column images[] = {{.kind = DDF_JSON_INT, NAME("id")}};
    ddf_json_array arrays[] = {
        {NAME("annotations"), .columns = annotations, .n_columns = 7, .has_extra = 1, .extra = {.kind = DDF_JSON_RAW}},
        {NAME(""), .columns = images, .n_columns = 1},
    };
    const ddf_json_options options = {limits.window, limits.max_record, limits.chunk_records, 1 << 20, limits.max_rest};
    result out = {0};
    ddf_json *json = ddf_json_new(arrays, 2, &options);
    assert(json != NULL);
    run(json, text, size, &out);
    ddf_json_free(json);
    ddf_json_array_free(&arrays[0]);
    ddf_json_array_free(&arrays[1]);
    return out;
}

static int status_of(const char *text, limits limits) {
    result out = read_document(text, strlen(text), limits);
    ddf_json_buffer_free(&out.all);
    return out.status;
}

static const char DOCUMENT[] =
    "\xef\xbb\xbf {\"info\": {\"a\": [1, {}], \"b\": null},\n"
    " \"annotations\": [\n"
    "{\"id\": 1, \"area\": 2.5, \"crowd\": false, \"name\": \"a\\u00e9\\ud83d\\ude00\\n\", \"bbox\": [1, 2.25,3e1 ],"
    " \"segmentation\": [[1,2],[],[3.5]], \"attributes\": {\"x\": [\"\\\"]\"]}, \"other\": [true, \"\xc3\xa9\"]} ,\n"
    "{}, {\"id\": \"7\", \"area\": null, \"crowd\": 1, \"name\": \"\\ud83d\", \"bbox\": [1, null],"
    " \"segmentation\": {\"counts\": [1]}, \"\\u0069d\": 12345678901, \"segmentation\": [4, 5]}, {\"id\": 1.0}],"
    " \"other\": -1.5e-7 , \"last\":[\"a\",{\"b\":[[]]}] } \r\n\t";

static void windows_of_any_size_read_the_same(void) {
    result whole = read_document(DOCUMENT, sizeof DOCUMENT - 1, WIDE);
    assert(whole.status == DDF_JSON_DONE && whole.records == 4 && whole.chunks == 1 && whole.members == 3);
    for (size_t window = 1; window < sizeof DOCUMENT + 1; window++) {
        limits narrow = WIDE;
        narrow.window = window;
        result part = read_document(DOCUMENT, sizeof DOCUMENT - 1, narrow);
        assert(part.status == DDF_JSON_DONE && part.all.size == whole.all.size);
        assert(memcmp(part.all.data, whole.all.data, whole.all.size) == 0);
        ddf_json_buffer_free(&part.all);
    }
    ddf_json_buffer_free(&whole.all);
}

static void a_document_that_is_cut_off_anywhere_is_truncated(void) {
    size_t last = (size_t)(strrchr(DOCUMENT, '}') - DOCUMENT);
    for (size_t window = 1; window < 200; window += 33) {
        for (size_t size = 0; size <= last; size++) {
            limits narrow = WIDE;
            narrow.window = window;
            char *copy = malloc(size + 1);
            assert(copy != NULL);
            memcpy(copy, DOCUMENT, size);
            result out = read_document(copy, size, narrow);
            assert(out.status == DDF_E_TRUNCATED && out.err.pos == size);
            ddf_json_buffer_free(&out.all);
            free(copy);
        }
    }
}

static void faults_have_a_place(void) {
    static const char text[] = "{\"annotations\": [\n{\"id\": 1},\n\xc3\xa9{}]}";
    for (size_t window = 1; window < sizeof text; window++) {
        limits narrow = WIDE;
        narrow.window = window;
        result out = read_document(text, sizeof text - 1, narrow);
        assert(out.status == DDF_E_SYNTAX && out.err.pos == 29 && out.line == 3 && out.column == 1);
        ddf_json_buffer_free(&out.all);
    }
    assert(status_of("{\"annotations\": [{\"name\": \"\xff\"}]}", WIDE) == DDF_E_UTF8);
    assert(status_of("{} x", WIDE) == DDF_E_SYNTAX);
    assert(status_of("[1]", WIDE) == DDF_E_SYNTAX);
    assert(status_of("[{}, {}]", WIDE) == DDF_JSON_DONE);
}

static void limits_are_kept(void) {
    limits narrow = WIDE;
    narrow.window = 4;
    narrow.max_record = 40;
    assert(status_of("{\"annotations\": [{\"name\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}]}", narrow) == DDF_E_LIMIT);
    assert(status_of("{\"a\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}", narrow) == DDF_JSON_DONE);
    limits small = WIDE;
    small.max_rest = 3;
    static const char text[] = "{\"a\": [1], \"b\": [10]}";
    result out = read_document(text, sizeof text - 1, small);
    assert(out.members == 2 && out.all.size == 3 + 3 + 3 && memcmp(out.all.data, "\"a\"[1]\"b\"", 9) == 0);
    ddf_json_buffer_free(&out.all);
    char deep[1200] = "{\"a\":";
    memset(deep + 5, '[', DDF_JSON_MAX_DEPTH + 1);
    assert(status_of(deep, WIDE) == DDF_E_DEPTH);
    deep[5 + DDF_JSON_MAX_DEPTH] = 0;
    assert(status_of(deep, WIDE) == DDF_E_TRUNCATED);
}

static void chunks_have_as_many_records_as_asked_for(void) {
    static const char text[] = "{\"annotations\": [{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4},{\"id\":5}]}";
    for (size_t records = 1; records <= 6; records++) {
        limits limits = WIDE;
        limits.chunk_records = records;
        result out = read_document(text, sizeof text - 1, limits);
        assert(out.status == DDF_JSON_DONE && out.records == 5 && out.chunks == (5 + records - 1) / records);
        ddf_json_buffer_free(&out.all);
    }
}

int main(void) {
    windows_of_any_size_read_the_same();
    a_document_that_is_cut_off_anywhere_is_truncated();
    faults_have_a_place();
    limits_are_kept();
    chunks_have_as_many_records_as_asked_for();
    return 0;
}
