#include "ddf_json_write.h"

#include "bench.h"

#define ROWS 300
#define POINTS 120
#define SLICE(text) {(const uint8_t *)(text), sizeof(text) - 1}

static ddf_json_field fields[3];
static ddf_json_buffer out;

static void prepare(void) {
    uint64_t state = 7;
    int64_t *ids = bench_new(ROWS, sizeof *ids), *offsets = bench_new(ROWS + 1, sizeof *offsets);
    int64_t *parts = bench_new(ROWS + 1, sizeof *parts), *bounds = bench_new(ROWS + 1, sizeof *bounds);
    double *points = bench_new(ROWS * POINTS, sizeof *points);
    char *names = bench_new(ROWS, 16);
    for (int64_t i = 0; i < ROWS; i++) {
        ids[i] = 1000 * i;
        offsets[i + 1] = i + 1;
        parts[i + 1] = POINTS * (i + 1);
        bounds[i + 1] = 16 * (i + 1);
        memcpy(names + 16 * i, "a name\twith \"\xc3\xb6 ", 16);
    }
    for (size_t i = 0; i < ROWS * POINTS; i++) {
        points[i] = (double)(bench_random(&state) % 64000) / 100;
    }
    fields[0] = (ddf_json_field){.name = SLICE("\"id\":"), .kind = DDF_JSON_INT, .values = ids, .n_values = ROWS};
    fields[1] = (ddf_json_field){.name = SLICE("\"segmentation\":"), .kind = DDF_JSON_SEGMENTS, .values = points,
                                 .n_values = ROWS * POINTS, .offsets = offsets, .parts = parts, .n_parts = ROWS + 1};
    fields[2] = (ddf_json_field){.name = SLICE("\"name\":"), .kind = DDF_JSON_STRING, .values = names,
                                 .n_values = 16 * ROWS, .offsets = bounds};
}

static void records(void) {
    const ddf_json_write_options options = {.between = SLICE(",\n"), .chunk_bytes = SIZE_MAX};
    ddf_err err;
    out.size = 0;
    assert(ddf_json_write(fields, 3, 0, ROWS, &options, &out, &err) == ROWS);
}

const bench_case BENCH_CASES[] = {{"records", prepare, records}, {0}};
