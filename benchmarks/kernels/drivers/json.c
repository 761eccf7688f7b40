#include "ddf_json.h"

#include <stdio.h>

#include "bench.h"

#define RECORDS 300
#define NAME(text) .name = (const uint8_t *)(text), .name_size = sizeof(text) - 1

static char *text;
static size_t size;

static ddf_json_column columns[] = {
    {.kind = DDF_JSON_INT, NAME("id")},      {.kind = DDF_JSON_INT, NAME("image_id")},
    {.kind = DDF_JSON_NUMBER, NAME("area")}, {.kind = DDF_JSON_NUMBERS, NAME("bbox")},
    {.kind = DDF_JSON_STRING, NAME("name")}, {.kind = DDF_JSON_SEGMENTS, NAME("segmentation")},
};
static ddf_json_array array = {NAME("annotations"), .columns = columns, .n_columns = 6};

/* Polygons with two decimals, as in instances of COCO. */
static void prepare(void) {
    uint64_t state = 7;
    text = bench_new(RECORDS, 2048);
    size = (size_t)sprintf(text, "{\"info\": {\"year\": 2017}, \"annotations\": [");
    for (unsigned i = 0; i < RECORDS; i++) {
        size += (size_t)sprintf(text + size, "%s{\"segmentation\": [[", i > 0 ? "," : "");
        for (unsigned j = 0; j < 120; j++) {
            uint64_t r = bench_random(&state);
            size += (size_t)sprintf(text + size, "%s%u.%02u", j > 0 ? "," : "", (unsigned)(r % 640),
                                    (unsigned)(r >> 32) % 100);
        }
        size += (size_t)sprintf(text + size,
                                "]],\"area\": 702.1057499999998,\"iscrowd\": 0,\"image_id\": %u,\"bbox\": "
                                "[473.07,395.93,38.65,28.67],\"name\": \"a \\\"name\\\" gr\xc3\xb6\xc3\x9f"
                                "er\",\"id\": %u}",
                                1000 * i, i);
    }
    size += (size_t)sprintf(text + size, "], \"licenses\": [{\"url\": \"http://\", \"id\": 1}]}");
}

static void read_all(size_t window) {
    const ddf_json_options options = {window, 1 << 20, 1 << 16, 1 << 24, 1 << 20};
    ddf_json *json = ddf_json_new(&array, 1, &options);
    ddf_err err;
    size_t at = 0, rows = 0, room;
    int event;
    array.is_seen = 0;
    while ((event = ddf_json_run(json, &err)) != DDF_JSON_DONE) {
        assert(event > 0);
        rows += event == DDF_JSON_CHUNK ? array.rows : 0;
        if (event == DDF_JSON_FEED) {
            uint8_t *to = ddf_json_room(json, &room, &err);
            room = room < size - at ? room : size - at;
            memcpy(to, text + at, room);
            ddf_json_fed(json, room);
            at += room;
            if (at == size) {
                ddf_json_end(json);
            }
        }
    }
    assert(rows == RECORDS);
    ddf_json_free(json);
}

static void records(void) { read_all(1 << 16); }

/* No column: members are skipped. */
static void skipped(void) {
    array.n_columns = 0;
    read_all(1 << 16);
    array.n_columns = 6;
}

const bench_case BENCH_CASES[] = {{"records", prepare, records}, {"skipped", prepare, skipped}, {0}};
