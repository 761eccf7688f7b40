#define _GNU_SOURCE
#include "ddf_shards.h"

#include <stdio.h>
#include <sys/resource.h>

#include "faults.h"

#define SHARDS ((size_t)40)
#define SAMPLE ((uint64_t)100)
#define NO_TABLE ((ddf_shard_table){NULL, NULL})

static char folder[32];
static char paths[SHARDS][3][64];
static ddf_shard_spec specs[SHARDS];
static int64_t total;

/* Shards of different lengths, every fifth empty, two with offsets of more than one window. */
static uint64_t samples_of(size_t i) { return i % 5 == 3 ? 0 : i % 20 == 1 ? 9000 : i % 7 + 1; }

static void write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert(file != NULL && fwrite(data, 1, size, file) == size);
    fclose(file);
}

/* What the files of checksums say; nobody here holds it against the samples. */
static uint64_t sum_of(uint64_t index) { return index * 0x9e3779b97f4a7c15u; }

/* Sample `index` of the whole dataset is filled with its low byte. */
static void write_shard(size_t i, int64_t first) {
    uint64_t n = samples_of(i);
    uint8_t *data = malloc(n * SAMPLE + 1), *offsets = malloc(8 * (n + 1));
    assert(data != NULL && offsets != NULL);
    for (uint64_t j = 0; j <= n; j++) {
        memset(data + j * SAMPLE, (int)((uint64_t)first + j) & 0xff, j < n ? SAMPLE : 1);
        ddf_store64(offsets + 8 * j, j * SAMPLE);
    }
    write_file(paths[i][0], data, n * SAMPLE);
    write_file(paths[i][1], offsets, 8 * (n + 1));
    for (uint64_t j = 0; j < n; j++) {
        ddf_store64(offsets + 8 * j, sum_of((uint64_t)first + j));
    }
    write_file(paths[i][2], offsets, 8 * n);
    free(data);
    free(offsets);
    specs[i] = (ddf_shard_spec){.path = paths[i][0], .offsets_path = paths[i][1], .samples = n};
    assert(ddf_sys_stamp_of(paths[i][0], &specs[i].stamp) == 0);
}

static void dataset(void) {
    strcpy(folder, "/tmp/ddf_test_XXXXXX");
    assert(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < SHARDS; i++) {
        snprintf(paths[i][0], sizeof paths[i][0], "%s/%zu", folder, i);
        snprintf(paths[i][1], sizeof paths[i][1], "%s/%zu.offsets", folder, i);
        snprintf(paths[i][2], sizeof paths[i][2], "%s/%zu.xxh3", folder, i);
        write_shard(i, total);
        total += (int64_t)samples_of(i);
    }
}

static void remove_dataset(void) {
    for (size_t i = 0; i < SHARDS; i++) {
        unlink(paths[i][0]);
        unlink(paths[i][1]);
        unlink(paths[i][2]);
    }
    rmdir(folder);
}

static ddf_shards *shards_of(size_t max_open) {
    ddf_shards *shards;
    assert(ddf_shards_new(specs, SHARDS, max_open, &shards) == 0);
    return shards;
}

static int first_byte(ddf_shards *shards, int64_t index, ddf_err *err) {
    uint8_t byte;
    ddf_found found;
    int status = ddf_shards_find(shards, index, &found, err);
    if (status >= 0) {
        assert(found.first <= index && index < found.stop && found.span.stop - found.span.start == SAMPLE);
        status = ddf_file_read(found.file, &byte, 1, found.span.start, err);
        ddf_shards_release_file(shards, found.file);
    }
    return status < 0 ? status : byte;
}

static void every_sample_is_found_where_it_is(void) {
    ddf_shards *shards = shards_of(0);
    ddf_err err;
    for (int64_t i = 0; i < total; i += i % 9000 < 30 ? 1 : 997) {
        assert(first_byte(shards, i, &err) == (i & 0xff));
    }
    for (int64_t i = 0; i < 2; i++) {
        int64_t outside = i == 0 ? -1 : total;
        assert(first_byte(shards, outside, &err) == DDF_E_INDEX);
    }
    ddf_shards_release(shards);
}

/* The same with checksums. */
static ddf_shards *shards_with_sums(void) {
    ddf_shard_spec with[SHARDS];
    ddf_shards *shards;
    for (size_t i = 0; i < SHARDS; i++) {
        with[i] = specs[i];
        with[i].sums_path = paths[i][2];
    }
    assert(ddf_shards_new(with, SHARDS, 0, &shards) == 0);
    return shards;
}

static void every_sample_has_its_checksum(void) {
    ddf_shards *shards = shards_with_sums(), *without = shards_of(0);
    ddf_err err;
    assert(ddf_shards_have_sums(shards) && !ddf_shards_have_sums(without));
    for (int64_t i = 0; i < total; i += i % 9000 < 30 ? 1 : 997) {
        ddf_found found;
        ddf_span span;
        uint64_t sum;
        assert(ddf_shards_find(shards, i, &found, &err) == 0 && ddf_found_sum(&found, i) == sum_of((uint64_t)i));
        ddf_shards_release_file(shards, found.file);
        assert(ddf_shards_spans(shards, &i, 1, &span, &sum, &err) == 0 && sum == sum_of((uint64_t)i));
        assert(ddf_shards_find(without, i, &found, &err) == 0 && found.sums == NULL);
        ddf_shards_release_file(without, found.file);
    }
    ddf_shards_release(without);
    ddf_shards_release(shards);
}

static void checksums_of_another_length_or_none_are_refused(void) {
    ddf_err err;
    ddf_span span;
    uint64_t sum;
    int64_t first = 0, last = total - 1;
    assert(truncate(paths[0][2], 0) == 0 && unlink(paths[SHARDS - 1][2]) == 0);
    ddf_shards *shards = shards_with_sums();
    assert(ddf_shards_spans(shards, &first, 1, &span, &sum, &err) == DDF_E_CHANGED && err.item == 0);
    assert(ddf_shards_spans(shards, &last, 1, &span, &sum, &err) == -ENOENT && strstr(err.msg, "checksums") != NULL);
    ddf_shards_release(shards);
    write_shard(0, 0);
    write_shard(SHARDS - 1, total - (int64_t)samples_of(SHARDS - 1));
}

static void addresses_name_shard_and_position(void) {
    ddf_shards *shards = shards_of(0);
    ddf_err err;
    int64_t index = 0;
    for (size_t shard = 0; shard < SHARDS; index += (int64_t)samples_of(shard++)) {
        int64_t last = index + (int64_t)samples_of(shard) - 1;
        int64_t wanted[3] = {last, 0, index};
        ddf_span spans[3];
        if (samples_of(shard) == 0) {
            continue;
        }
        assert(ddf_shards_spans(shards, wanted, 3, spans, NULL, &err) == 0);
        ddf_place first = ddf_shards_place(shards, spans[2].start), end = ddf_shards_place(shards, spans[0].stop);
        assert(first.shard == shard && first.position == 0);
        assert(end.shard == shard && end.position == samples_of(shard) * SAMPLE);
        assert(spans[1].start == 0 && spans[1].stop == SAMPLE);
    }
    int64_t wanted[3] = {1, total - 1, total};
    ddf_span spans[3];
    assert(ddf_shards_spans(shards, wanted, 3, spans, NULL, &err) == DDF_E_INDEX && err.item == 2);
    ddf_shards_release(shards);
}

static void neighbouring_shards_are_further_apart_than_any_gap(void) {
    ddf_shards *shards = shards_of(0);
    int64_t wanted[2], first = 0;
    ddf_span spans[2];
    ddf_err err;
    for (size_t i = 0; i + 1 < SHARDS; i++) {
        first += (int64_t)samples_of(i);
        wanted[0] = first - 1, wanted[1] = first;
        assert(ddf_shards_spans(shards, wanted, 2, spans, NULL, &err) == 0);
        int joined = samples_of(i) == 0; /* the border was seen before */
        assert(joined || spans[1].start - spans[0].stop > ddf_shards_max_gap(shards));
    }
    ddf_shards_release(shards);
}

static void shards_that_cannot_be_addressed_are_refused(void) {
    ddf_shards *shards;
    ddf_shard_spec huge[5] = {{.path = "a", .offsets_path = "b", .samples = 1, .stamp = {(uint64_t)1 << 60, 0}}};
    for (size_t i = 1; i < 5; i++) {
        huge[i] = huge[0];
    }
    assert(ddf_shards_new(huge, 4, 0, &shards) == 0);
    ddf_shards_release(shards);
    assert(ddf_shards_new(huge, 5, 0, &shards) == DDF_E_LIMIT);
    huge[0].stamp.size = (uint64_t)1 << 63;
    assert(ddf_shards_new(huge, 1, 0, &shards) == DDF_E_LIMIT);
    assert(ddf_shards_new(huge, 0, 0, &shards) == 0);
    ddf_err err;
    assert(first_byte(shards, 0, &err) == DDF_E_INDEX);
    ddf_shards_release(shards);
}

static size_t descriptors(void) {
    size_t n = 0;
    for (int fd = 0; fd < 256; fd++) {
        n += ddf_sys_end(fd) != -EBADF;
    }
    return n;
}

static void few_files_stay_open_and_those_in_use_are_not_closed(void) {
    ddf_shards *shards = shards_of(8);
    ddf_file *held[SHARDS];
    ddf_err err;
    size_t before = descriptors();
    for (size_t i = 0; i < SHARDS; i++) {
        assert(ddf_shards_acquire_file(shards, i, &held[i], &err) == 0);
    }
    assert(ddf_shards_open(shards) == 8 && descriptors() == before + SHARDS);
    for (size_t i = 0; i < SHARDS; i++) {
        assert(ddf_file_size(held[i]) == specs[i].stamp.size && ddf_file_check(held[i], &err) == 0);
        ddf_shards_release_file(shards, held[i]);
    }
    assert(descriptors() == before + 8);
    ddf_shards_release(shards);
    assert(descriptors() == before);
}

static void the_file_used_last_stays(void) {
    ddf_shards *shards = shards_of(8);
    ddf_file *first = NULL, *file;
    ddf_err err;
    for (size_t i = 0; i < SHARDS; i++) {
        ddf_file *again;
        assert(ddf_shards_acquire_file(shards, 0, &again, &err) == 0);
        assert(first == NULL || again == first);
        first = again;
        ddf_shards_release_file(shards, again);
        assert(ddf_shards_acquire_file(shards, i, &file, &err) == 0);
        ddf_shards_release_file(shards, file);
    }
    ddf_shards_release(shards);
}

static void a_process_short_of_descriptors_closes_what_it_keeps(void) {
    struct rlimit before, few;
    assert(getrlimit(RLIMIT_NOFILE, &before) == 0);
    ddf_shards *shards = shards_of(100);
    ddf_file *held[SHARDS], *file;
    ddf_err err;
    few = before, few.rlim_cur = 16;
    assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (int64_t i = 0; i < total; i += 7) {
        assert(first_byte(shards, i, &err) == (i & 0xff));
    }
    size_t n = 0;
    while (n < SHARDS && ddf_shards_acquire_file(shards, n, &held[n], &err) >= 0) {
        n++;
    }
    assert(n > 5 && n < 16 && err.code == -EMFILE && err.item == n);
    assert(first_byte(shards, total - 1, &err) == -EMFILE);
    while (n > 0) {
        ddf_shards_release_file(shards, held[--n]);
    }
    assert(ddf_shards_acquire_file(shards, SHARDS - 1, &file, &err) == 0);
    ddf_shards_release_file(shards, file);
    assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
    ddf_shards_release(shards);
}

/* What a change of shard 0 makes of its samples, known before (`used`) or not, and that others stay as they are. */
static void expect(void (*change)(void), int unused, int used) {
    ddf_err err;
    for (int known = 0; known < 2; known++) {
        ddf_shards *shards = shards_of(8);
        ddf_file *file;
        if (known) {
            assert(first_byte(shards, 0, &err) == 0);
            for (size_t i = 1; i <= 8; i++) { /* which closes shard 0 */
                assert(ddf_shards_acquire_file(shards, i, &file, &err) == 0);
                ddf_shards_release_file(shards, file);
            }
        }
        change();
        int wanted = known ? used : unused;
        assert(first_byte(shards, 0, &err) == wanted);
        assert(wanted >= 0 || err.code == wanted);
        assert(first_byte(shards, 1, &err) == 1);
        ddf_span spans[3];
        int64_t indices[3] = {2, 3, 0};
        int status = ddf_shards_spans(shards, indices, 3, spans, NULL, &err);
        assert(known || unused >= 0 ? status == 0 : status == unused && err.item == 2);
        ddf_shards_release(shards);
        write_shard(0, 0);
    }
}

static void delete_it(void) { unlink(paths[0][0]); }
static void delete_offsets(void) { unlink(paths[0][1]); }
static void cut_it(void) { assert(truncate(paths[0][0], 5) == 0); }
static void cut_offsets(void) { assert(truncate(paths[0][1], 8) == 0); }
static void lose_offsets(void) { write_file(paths[0][1], "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5", 16); }

static void rewrite_it(void) {
    usleep(20000); /* a clock tick of the file system */
    uint8_t data[SAMPLE] = {7};
    write_file(paths[0][0], data, SAMPLE);
}

static void a_shard_that_is_not_what_it_was_is_refused(void) {
    expect(delete_it, -ENOENT, -ENOENT);
    expect(cut_it, DDF_E_CHANGED, DDF_E_CHANGED);
    expect(rewrite_it, DDF_E_CHANGED, DDF_E_CHANGED);
    expect(delete_offsets, -ENOENT, 0);
    expect(cut_offsets, DDF_E_CHANGED, 0);
    expect(lose_offsets, DDF_E_SPAN, 0);
}

static void only_shards_that_are_known_never_wait(void) {
    ddf_shards *shards;
    ddf_err err;
    assert(ddf_shards_new(specs, 2, 0, &shards) == 0 && ddf_shards_may_wait(shards));
    assert(first_byte(shards, 0, &err) == 0 && ddf_shards_may_wait(shards));
    assert(first_byte(shards, 1, &err) == 1 && !ddf_shards_may_wait(shards));
    ddf_shards_release(shards);
}

static void given_tables_are_used_as_they_are(void) {
    uint8_t table[16] = {0};
    ddf_store64(table + 8, SAMPLE);
    ddf_shard_spec given[2] = {specs[0], specs[0]};
    given[0].offsets_path = NULL, given[0].offsets = table;
    ddf_shards *shards;
    ddf_err err;
    assert(ddf_shards_new(given, 2, 0, &shards) == 0 && !ddf_shards_own_tables(shards));
    assert(first_byte(shards, 0, &err) == 0 && first_byte(shards, 1, &err) == 0);
    ddf_shards_release(shards);
    shards = shards_of(0);
    assert(ddf_shards_own_tables(shards));
    ddf_shards_release(shards);
}

static void mounted_files_are_not_opened_where_waiting_is_not_wanted(void) {
    ddf_shards *shards = shards_of(0);
    ddf_file *file;
    uint8_t byte;
    ddf_err err;
    faults.mounted = 1;
    faults.cache = CACHE_UNKNOWN;
    assert(ddf_shards_acquire_open_file(shards, 1, &file, &err) == 0 && file != NULL);
    assert(ddf_shards_can_be_ready(shards));
    assert(ddf_file_read_ready(file, DDF_SCATTERED, &byte, 1, 0) == 0);
    ddf_shards_release_file(shards, file);
    assert(!ddf_shards_can_be_ready(shards) && ddf_shards_may_wait(shards));
    assert(ddf_shards_acquire_open_file(shards, 2, &file, &err) == 0 && file == NULL);
    assert(ddf_shards_acquire_open_file(shards, 1, &file, &err) == 0 && file != NULL);
    ddf_shards_release_file(shards, file);
    assert(ddf_shards_acquire_file(shards, 2, &file, &err) == 0 && file != NULL);
    ddf_shards_release_file(shards, file);
    ddf_shards_release(shards);
    faults_reset();
}

static void how_the_system_reads_ahead_is_told_by_the_first_file_used(void) {
    ddf_shards *shards = shards_of(0);
    ddf_err err;
    assert(!ddf_shards_read_ahead(shards));
    int reads_ahead = 0;
    for (int mounted = 0; mounted < 2; mounted++) {
        ddf_file *file;
        faults.mounted = mounted;
        assert(ddf_shards_acquire_file(shards, (size_t)mounted, &file, &err) == 0 && ddf_file_is_mounted(file) == mounted);
        assert(!mounted || !ddf_file_reads_ahead(file));
        reads_ahead |= ddf_file_reads_ahead(file);
        ddf_shards_release_file(shards, file);
        assert(ddf_shards_read_ahead(shards) == reads_ahead);
    }
    ddf_shards_release(shards);
    faults_reset();
}

static void one_open_file_is_one_shard(void) {
    ddf_file *file, *taken;
    ddf_err err;
    ddf_shards *shards;
    uint8_t table[16] = {0};
    ddf_store64(table + 8, SAMPLE);
    assert(ddf_file_open(paths[0][0], &file) == 0 && ddf_shards_of(file, (ddf_shard_table){table, NULL}, 2, NO_TABLE, &shards) == 0);
    assert(first_byte(shards, 0, &err) == 0 && first_byte(shards, 1, &err) == DDF_E_INDEX);
    assert(ddf_shards_acquire_file(shards, 0, &taken, &err) == 0 && taken == file);
    ddf_shards_release_file(shards, taken);
    ddf_place place = ddf_shards_place(shards, ((uint64_t)1 << 63) - 1);
    assert(place.shard == 0 && place.position == ((uint64_t)1 << 63) - 1);
    ddf_file_release(file);
    cut_it();
    assert(ddf_shards_check(shards, &err) == DDF_E_CHANGED && first_byte(shards, 0, &err) == DDF_E_CHANGED);
    ddf_shards_release(shards);
    write_shard(0, 0);
}

static void remote_shards_have_sizes_and_tables_and_no_files(void) {
    uint8_t table[24] = {0};
    ddf_store64(table + 8, SAMPLE);
    ddf_store64(table + 16, 2 * SAMPLE);
    ddf_shard_spec given[20];
    for (size_t i = 0; i < 20; i++) {
        given[i] = (ddf_shard_spec){.offsets = table, .samples = 2, .stamp.size = 2 * SAMPLE};
    }
    ddf_shards *shards;
    ddf_found found;
    ddf_err err;
    assert(ddf_shards_new(given, 20, 8, &shards) == 0 && ddf_shards_are_remote(shards));
    assert(!ddf_shards_can_be_ready(shards) && !ddf_shards_may_wait(shards) && !ddf_shards_own_tables(shards));
    for (int64_t i = 0; i < 40; i++) {
        ddf_span span;
        assert(ddf_shards_spans(shards, &i, 1, &span, NULL, &err) == 0);
        ddf_place place = ddf_shards_place(shards, span.start);
        assert(place.shard == (size_t)i / 2 && place.position == (i % 2 ? SAMPLE : 0));
        assert(ddf_shards_find(shards, i, &found, &err) == 0 && ddf_file_is_remote(found.file));
        assert(found.span.stop - found.span.start == SAMPLE);
        ddf_shards_release_file(shards, found.file);
        assert(first_byte(shards, i, &err) == -ENOTSUP);
    }
    ddf_shards_release(shards);
}

static void one_remote_file_is_one_shard(void) {
    uint8_t table[16] = {0};
    ddf_store64(table + 8, SAMPLE);
    ddf_file *file;
    ddf_shards *shards;
    ddf_err err;
    assert(ddf_file_remote(SAMPLE, &file) == 0 && ddf_shards_of(file, (ddf_shard_table){table, NULL}, 2, NO_TABLE, &shards) == 0);
    ddf_file_release(file);
    assert(ddf_shards_are_remote(shards) && ddf_shards_check(shards, &err) == 0);
    assert(!ddf_shards_can_be_ready(shards) && !ddf_shards_may_wait(shards));
    assert(first_byte(shards, 0, &err) == -ENOTSUP && first_byte(shards, 1, &err) == DDF_E_INDEX);
    ddf_shards_release(shards);
}

static void shards_are_remote_all_together_and_with_tables_in_memory(void) {
    uint8_t table[8] = {0};
    ddf_shards *shards;
    ddf_shard_spec mixed[2] = {{.offsets = table}, {.path = "a", .offsets = table}};
    assert(ddf_shards_new(mixed, 2, 0, &shards) == -EINVAL);
    ddf_shard_spec lacking = {.offsets_path = "a.offsets"};
    assert(ddf_shards_new(&lacking, 1, 0, &shards) == -EINVAL);
    shards = shards_of(0);
    assert(!ddf_shards_are_remote(shards));
    ddf_shards_release(shards);
}

static void *use_thread(void *arg) {
    ddf_shards *shards = arg;
    ddf_err err;
    unsigned seed = (unsigned)(uintptr_t)&err;
    for (int i = 0; i < 2000; i++) {
        int64_t index = rand_r(&seed) % total;
        assert(first_byte(shards, index, &err) == (index & 0xff));
    }
    ddf_shards_release(shards);
    return NULL;
}

static void threads_share_shards(void) {
    ddf_shards *shards = shards_of(8);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        ddf_shards_retain(shards);
        assert(pthread_create(&threads[i], NULL, use_thread, shards) == 0);
    }
    ddf_shards_release(shards);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
}

int main(void) {
    dataset();
    every_sample_is_found_where_it_is();
    every_sample_has_its_checksum();
    checksums_of_another_length_or_none_are_refused();
    addresses_name_shard_and_position();
    neighbouring_shards_are_further_apart_than_any_gap();
    shards_that_cannot_be_addressed_are_refused();
    few_files_stay_open_and_those_in_use_are_not_closed();
    the_file_used_last_stays();
    a_process_short_of_descriptors_closes_what_it_keeps();
    a_shard_that_is_not_what_it_was_is_refused();
    only_shards_that_are_known_never_wait();
    given_tables_are_used_as_they_are();
    mounted_files_are_not_opened_where_waiting_is_not_wanted();
    how_the_system_reads_ahead_is_told_by_the_first_file_used();
    one_open_file_is_one_shard();
    remote_shards_have_sizes_and_tables_and_no_files();
    one_remote_file_is_one_shard();
    shards_are_remote_all_together_and_with_tables_in_memory();
    threads_share_shards();
    remove_dataset();
    return 0;
}
