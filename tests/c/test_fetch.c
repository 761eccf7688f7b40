#define _GNU_SOURCE
#include "ddf_fetch.h"

#include <stdio.h>

#include "ddf_xxh3.h"
#include "faults.h"

#define COUNT ((size_t)400)
#define BINARY ((size_t)30000)
#define SAMPLE (BINARY + 6)
#define TIMEOUT_MS 20000
#define SHARDS ((size_t)20)
#define PER_SHARD (COUNT / SHARDS)

static char path[32];
static uint8_t offsets[(COUNT + 1) * 8], sums[COUNT * 8];

/* The same samples once more, cut into shards. */
static char shard_paths[SHARDS][3][48];
static ddf_shard_spec specs[SHARDS];
static int sharded; /* which of both is read */
static int verified;
static ddf_io io;

/* Maps {"k": bytes}, each of the same size, filled with the low byte of its number. */
static void dataset(void) {
    strcpy(path, "/tmp/ddf_test_XXXXXX");
    int fd = mkstemp(path);
    uint8_t *sample = malloc(SAMPLE);
    assert(fd >= 0 && sample != NULL);
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(sample, "\x81\xa1k\xc5", 4);
        sample[4] = BINARY >> 8;
        sample[5] = BINARY & 0xff;
        memset(sample + 6, (int)(i & 0xff), BINARY);
        assert(write(fd, sample, SAMPLE) == (ssize_t)SAMPLE);
        ddf_store64(offsets + 8 * i, i * SAMPLE);
        ddf_store64(sums + 8 * i, ddf_xxh3(sample, SAMPLE));
    }
    ddf_store64(offsets + 8 * COUNT, COUNT * SAMPLE);
    close(fd);
    free(sample);
}

static void write_file(const char *name, const void *data, size_t size) {
    FILE *file = fopen(name, "wb");
    assert(file != NULL && fwrite(data, 1, size, file) == size);
    fclose(file);
}

static void cut_into_shards(void) {
    ddf_file *file;
    ddf_err err;
    uint8_t *data = malloc(PER_SHARD * SAMPLE);
    assert(data != NULL && ddf_file_open(path, &file) == 0);
    for (size_t i = 0; i < SHARDS; i++) {
        snprintf(shard_paths[i][0], sizeof shard_paths[i][0], "%s.%zu", path, i);
        snprintf(shard_paths[i][1], sizeof shard_paths[i][1], "%s.%zu.offsets", path, i);
        assert(ddf_file_read(file, data, PER_SHARD * SAMPLE, i * PER_SHARD * SAMPLE, &err) == 0);
        write_file(shard_paths[i][0], data, PER_SHARD * SAMPLE);
        write_file(shard_paths[i][1], offsets, 8 * (PER_SHARD + 1));
        snprintf(shard_paths[i][2], sizeof shard_paths[i][2], "%s.%zu.xxh3", path, i);
        write_file(shard_paths[i][2], sums + 8 * i * PER_SHARD, 8 * PER_SHARD);
        specs[i] = (ddf_shard_spec){.path = shard_paths[i][0], .offsets_path = shard_paths[i][1], .samples = PER_SHARD};
        assert(ddf_sys_stamp_of(shard_paths[i][0], &specs[i].stamp) == 0);
    }
    ddf_file_release(file);
    free(data);
}

typedef struct bench {
    ddf_shards *shards;
    ddf_pool *pool;
    ddf_engine *engine;
} bench;

static bench bench_of(void) {
    bench b;
    ddf_file *file;
    for (size_t i = 0; i < SHARDS; i++) {
        specs[i].sums_path = verified ? shard_paths[i][2] : NULL;
    }
    if (sharded) {
        assert(ddf_shards_new(specs, SHARDS, 8, &b.shards) == 0);
    } else {
        ddf_shard_table offsets_table = {offsets, NULL}, sums_table = {verified ? sums : NULL, NULL};
        assert(ddf_file_open(path, &file) == 0);
        assert(ddf_shards_of(file, offsets_table, COUNT + 1, sums_table, &b.shards) == 0);
        ddf_file_release(file);
    }
    assert(ddf_pool_new((uint64_t)64 << 20, &b.pool) == 0);
    assert(ddf_engine_new(8, 2, io, &b.engine) == 0);
    return b;
}

/* Nothing is left of any fetch. */
static void bench_end(bench b) {
    assert(ddf_engine_stop(b.engine, TIMEOUT_MS) == 0 && ddf_pool_used(b.pool) == 0);
    ddf_engine_release(b.engine);
    ddf_shards_release(b.shards);
    ddf_pool_release(b.pool);
    faults_reset();
}

static ddf_fetch *fetch_of(bench b, uint64_t seed, size_t count) {
    ddf_slice name = {(const uint8_t *)"k", 1};
    ddf_fetch_request request = {
        .shards = b.shards,
        .pool = b.pool,
        .order = {DDF_ORDER_SHUFFLED, COUNT, seed, 0, 1, 1, NULL},
        .stride = 32,
        .count = count,
        .batch_size = 32,
        .tables = 1,
        .names = &name,
        .names_n = 1,
        .max_gap = 4096,
        .max_read = 1 << 20,
    };
    ddf_fetch *fetch;
    assert(ddf_fetch_new(&request, &fetch) == 0);
    return fetch;
}

static void expect_samples(ddf_fetch *fetch, size_t count) {
    const ddf_err *err;
    assert(ddf_fetch_job(fetch)->status == 0);
    for (size_t b = 0; b < ddf_fetch_batches(fetch); b++) {
        const ddf_table *table = ddf_fetch_table(fetch, b, &err);
        assert(table != NULL && err->code == 0);
        for (size_t i = 0; i < table->n; i++) {
            assert(table->samples[i].data[6] == (ddf_fetch_indices(fetch)[b * 32 + i] & 0xff));
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert(ddf_fetch_indices(fetch)[i] >= 0 && ddf_fetch_indices(fetch)[i] < (int64_t)COUNT);
    }
}

static void fetches_are_read_from_any_storage(void) {
    for (int kind = 0; kind < 6; kind++) {
        faults.cache = kind % 3;
        faults.mounted = kind / 3;
        bench b = bench_of();
        ddf_fetch *submitted = fetch_of(b, 1, COUNT), *run = fetch_of(b, 2, 37);
        ddf_fetch_submit(submitted, b.engine);
        assert(ddf_fetch_run(run, b.engine, TIMEOUT_MS) == 0);
        assert(ddf_engine_wait(b.engine, ddf_fetch_job(submitted), TIMEOUT_MS) == 0);
        expect_samples(submitted, COUNT);
        expect_samples(run, 37);
        assert(ddf_fetch_held(submitted) + ddf_fetch_held(run) == ddf_pool_used(b.pool));
        ddf_fetch_release(submitted, b.engine);
        ddf_fetch_release(run, b.engine);
        bench_end(b);
    }
}

static void a_fetch_that_was_never_handed_over_goes(void) {
    bench b = bench_of();
    ddf_fetch_release(fetch_of(b, 1, 10), b.engine);
    ddf_fetch_release(fetch_of(b, 1, 10), NULL);
    ddf_fetch_release(NULL, b.engine);
    bench_end(b);
}

static void an_arena_outlives_its_fetch(void) {
    bench b = bench_of();
    ddf_fetch *fetch = fetch_of(b, 1, 10);
    assert(ddf_fetch_run(fetch, b.engine, TIMEOUT_MS) == 0);
    ddf_arena *arena = ddf_fetch_arena(fetch);
    int64_t *indices = ddf_fetch_indices(fetch), first = indices[0];
    const ddf_err *err;
    const ddf_table *table = ddf_fetch_table(fetch, 0, &err);
    ddf_arena_retain(arena);
    ddf_fetch_release(fetch, b.engine);
    assert(indices[0] == first && table->columns_n == 1);
    assert(table->columns[0].name.size == 1 && table->columns[0].name.data[0] == 'k');
    ddf_arena_release(arena);
    bench_end(b);
}

static void a_failing_read_is_told_with_its_position(void) {
    bench b = bench_of();
    ddf_fetch *fetch = fetch_of(b, 1, COUNT); /* loads all offsets */
    assert(ddf_fetch_run(fetch, b.engine, TIMEOUT_MS) == 0);
    ddf_fetch_release(fetch, b.engine);
    faults.cache = CACHE_MISSES;
    faults.error = EIO;
    fetch = fetch_of(b, 1, 100);
    ddf_fetch_submit(fetch, b.engine);
    assert(ddf_engine_wait(b.engine, ddf_fetch_job(fetch), TIMEOUT_MS) == 0);
    const ddf_job *job = ddf_fetch_job(fetch);
    assert(job->status == -EIO && job->err.pos % SAMPLE == 0 && job->err.pos < COUNT * SAMPLE);
    assert(sharded ? job->err.item < SHARDS && job->err.pos < PER_SHARD * SAMPLE : job->err.item == 0);
    ddf_fetch_release(fetch, b.engine);
    bench_end(b);
}

static void a_missing_shard_fails_the_batches_that_need_it(void) {
    bench b = bench_of();
    const ddf_err *err;
    char away[64];
    int64_t wanted[96];
    for (size_t i = 0; i < 96; i++) {
        wanted[i] = (int64_t)(i < 32 || i >= 64 ? i : 3 * PER_SHARD + i % 4);
    }
    ddf_fetch_request request = {
        .shards = b.shards, .pool = b.pool, .indices = wanted, .count = 96, .batch_size = 32, .max_read = 1 << 20};
    snprintf(away, sizeof away, "%s.away", path);
    assert(rename(shard_paths[3][0], away) == 0);
    ddf_fetch *fetch;
    assert(ddf_fetch_new(&request, &fetch) == 0 && ddf_fetch_run(fetch, b.engine, TIMEOUT_MS) == 0);
    assert(ddf_fetch_job(fetch)->status == 0 && ddf_fetch_table(fetch, 0, &err) != NULL);
    assert(ddf_fetch_table(fetch, 1, &err) == NULL && err->code == -ENOENT && err->item == 0);
    assert(ddf_fetch_table(fetch, 2, &err) == NULL && err->code == -ENOENT);
    ddf_fetch_release(fetch, b.engine);
    assert(rename(away, shard_paths[3][0]) == 0);
    bench_end(b);
}

static void flip(const char *name, size_t at) {
    FILE *file = fopen(name, "r+b");
    assert(file != NULL && fseek(file, (long)at, SEEK_SET) == 0);
    int byte = fgetc(file);
    assert(fseek(file, (long)at, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF);
    fclose(file);
}

static void flip_bit_of(size_t sample) {
    flip(path, sample * SAMPLE + 20000);
    flip(shard_paths[sample / PER_SHARD][0], sample % PER_SHARD * SAMPLE + 20000);
    for (size_t i = 0; i < SHARDS; i++) {
        assert(ddf_sys_stamp_of(shard_paths[i][0], &specs[i].stamp) == 0);
    }
}

/* A bit that no message shows; with columns and without, in pieces that have all of the sample and in smaller ones. */
static void a_flipped_bit_fails_its_batch_alone(void) {
    const size_t bad = 3 * PER_SHARD + 7;
    int64_t wanted[96];
    const ddf_err *err;
    for (size_t i = 0; i < 96; i++) {
        wanted[i] = (int64_t)(bad - 37 + i);
    }
    wanted[95] = wanted[94] = 5; /* the same sample twice */
    flip_bit_of(bad);
    for (int kind = 0; kind < 12; kind++) {
        faults.cache = kind % 3;
        bench b = bench_of();
        ddf_fetch_request request = {
            .shards = b.shards,
            .pool = b.pool,
            .indices = wanted,
            .count = 96,
            .batch_size = 32,
            .tables = kind / 3 % 2,
            .max_gap = 4096,
            .max_read = kind < 6 ? 1 << 20 : 10000,
        };
        ddf_fetch *fetch;
        assert(ddf_fetch_new(&request, &fetch) == 0 && ddf_fetch_run(fetch, b.engine, TIMEOUT_MS) == 0);
        assert(ddf_fetch_job(fetch)->status == 0);
        for (size_t i = 0; i < 3; i++) {
            const ddf_table *table = ddf_fetch_table(fetch, i, &err);
            assert((table == NULL) == (verified && i == 1));
            assert(table != NULL || (err->code == DDF_E_CHECKSUM && err->item == 5));
        }
        ddf_fetch_release(fetch, b.engine);
        bench_end(b);
    }
    flip_bit_of(bad);
}

/* Fetch these samples in batches of 4 from a table whose entry 101 is that of the first sample. */
static ddf_fetch *overlapping_fetch(bench b, const int64_t *wanted, size_t count, uint64_t max_bytes) {
    ddf_fetch_request request = {
        .shards = b.shards,
        .pool = b.pool,
        .indices = wanted,
        .count = count,
        .batch_size = 4,
        .tables = 1,
        .max_gap = 4096,
        .max_read = 1 << 20,
        .max_bytes = max_bytes,
    };
    ddf_fetch *fetch;
    assert(ddf_fetch_new(&request, &fetch) == 0 && ddf_fetch_run(fetch, b.engine, TIMEOUT_MS) == 0);
    return fetch;
}

static void samples_that_overlap_are_refused(void) {
    uint8_t kept[16];
    const ddf_err *err;
    int64_t wanted[] = {5, 6, 7, 5, 0, 1, 2, 100, 200, 201, 202, 203};
    memcpy(kept, offsets + 8 * 100, sizeof kept);
    ddf_store64(offsets + 8 * 100, 0);
    ddf_store64(offsets + 8 * 101, SAMPLE); /* sample 100 is sample 0 */
    bench b = bench_of();
    ddf_fetch *fetch = overlapping_fetch(b, wanted, 12, 0);
    assert(ddf_fetch_job(fetch)->status == 0 && ddf_fetch_batches(fetch) == 3);
    assert(ddf_fetch_table(fetch, 0, &err) != NULL && ddf_fetch_table(fetch, 2, &err) != NULL);
    assert(ddf_fetch_table(fetch, 1, &err) == NULL && err->code == DDF_E_SPAN && err->item == 3);
    ddf_span span = ddf_fetch_span(fetch, 9);
    assert(span.start == 201 * SAMPLE && span.stop == 202 * SAMPLE);
    ddf_fetch_release(fetch, b.engine);

    fetch = overlapping_fetch(b, wanted + 7, 1, 0); /* alone */
    assert(ddf_fetch_table(fetch, 0, &err) != NULL && ddf_fetch_span(fetch, 0).stop == SAMPLE);
    ddf_fetch_release(fetch, b.engine);
    fetch = overlapping_fetch(b, wanted + 7, 1, SAMPLE / 2);
    assert(ddf_fetch_job(fetch)->status == DDF_E_LIMIT && ddf_fetch_held(fetch) == 0);
    ddf_fetch_release(fetch, b.engine);
    bench_end(b);
    memcpy(offsets + 8 * 100, kept, sizeof kept);
}

static void *release_thread(void *arg) {
    bench b = *(bench *)arg;
    unsigned seed = (unsigned)(uintptr_t)&b;
    for (uint64_t i = 0; i < 150; i++) {
        ddf_fetch *fetch = fetch_of(b, i, 1 + (size_t)rand_r(&seed) % COUNT);
        ddf_fetch_submit(fetch, b.engine);
        usleep((useconds_t)(rand_r(&seed) % 400));
        ddf_fetch_release(fetch, b.engine); /* wherever it is */
    }
    return NULL;
}

static void fetches_may_be_dropped_at_any_time(void) {
    for (int cache = CACHE_ASKED; cache <= CACHE_UNKNOWN; cache++) {
        faults.cache = cache;
        bench b = bench_of();
        pthread_t threads[3];
        for (size_t i = 0; i < 3; i++) {
            assert(pthread_create(&threads[i], NULL, release_thread, &b) == 0);
        }
        for (size_t i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
        bench_end(b);
    }
}

static void all(void) {
    fetches_are_read_from_any_storage();
    a_fetch_that_was_never_handed_over_goes();
    an_arena_outlives_its_fetch();
    if (io != DDF_IO_URING) {
        a_failing_read_is_told_with_its_position();
    }
    a_flipped_bit_fails_its_batch_alone();
    fetches_may_be_dropped_at_any_time();
}

int main(void) {
    dataset();
    cut_into_shards();
    ddf_engine *engine;
    int has_ring = ddf_engine_new(8, 2, DDF_IO_URING, &engine) == 0;
    if (has_ring) {
        ddf_engine_release(engine);
    }
    for (int i = 0; i < 4 + 4 * has_ring; i++) {
        sharded = i % 2;
        verified = i / 2 % 2;
        io = i < 4 ? DDF_IO_THREADS : DDF_IO_URING;
        all();
    }
    a_missing_shard_fails_the_batches_that_need_it();
    sharded = verified = 0;
    io = DDF_IO_THREADS;
    samples_that_overlap_are_refused();
    unlink(path);
    for (size_t i = 0; i < SHARDS; i++) {
        unlink(shard_paths[i][0]);
        unlink(shard_paths[i][1]);
        unlink(shard_paths[i][2]);
    }
    return 0;
}
