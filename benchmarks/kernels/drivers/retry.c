/* Reads that succeed at the first attempt, as nearly all do. */
#include "ddf_retry.h"

#include "bench.h"

#define READS 5000
#define SIZE ((size_t)200)

static ddf_file *file;

static void prepare(void) {
    bench_samples all = bench_pack(READS, pack_image);
    assert(all.size >= READS * SIZE);
    assert(ddf_file_open(bench_file(&all), &file) == 0);
}

static void read_once(void) {
    uint8_t buffer[SIZE];
    ddf_err err;
    for (size_t i = 0; i < READS; i++) {
        assert(ddf_retry_read(file, buffer, SIZE, i * SIZE, NULL, &err) == 0);
    }
}

const bench_case BENCH_CASES[] = {{"first", prepare, read_once}, {0}};
