#define _GNU_SOURCE
#include "ddf_file.h"

#include <fcntl.h>

#include "faults.h"

#define SIZE ((size_t)1000003)

static char path[32];

static ddf_file *file_of(void) {
    ddf_file *file;
    assert(ddf_file_open(path, &file) == 0 && ddf_file_size(file) == SIZE);
    return file;
}

static void whole_reads_survive_short_ones_and_signals(void) {
    uint8_t *buffer = malloc(SIZE);
    ddf_file *file = file_of();
    for (size_t most = 0; most <= 70000; most += 35000) {
        faults.short_reads = most;
        faults.interruptions = 20;
        memset(buffer, 0, SIZE);
        assert(ddf_file_read(file, buffer, SIZE - 5, 5, NULL) == 0 && is_as_written(buffer, 5, SIZE - 5));
        memset(buffer, 0, SIZE);
        faults.interruptions = 3;
        ddf_room parts[3] = {{buffer, 40000}, {buffer + 40000, 0}, {buffer + 40000, 60000}};
        assert(ddf_file_read_parts(file, parts, 77, NULL) == 0 && is_as_written(buffer, 77, 100000));
    }
    ddf_file_release(file);
    faults_reset();
    free(buffer);
}

static void the_end_and_errors_are_told_with_their_position(void) {
    uint8_t buffer[100];
    ddf_room parts[3] = {{buffer, 30}, {buffer + 30, 30}, {buffer + 60, 40}};
    ddf_err err;
    ddf_file *file = file_of();
    assert(ddf_file_read(file, buffer, 100, SIZE - 60, &err) == DDF_E_EOF && err.pos == SIZE);
    assert(ddf_file_read_parts(file, parts, SIZE - 50, &err) == DDF_E_EOF && err.pos == SIZE);
    assert(ddf_file_read_parts(file, parts, SIZE + 50, &err) == DDF_E_EOF && err.pos == SIZE + 50);
    faults.error = ESTALE;
    assert(ddf_file_read(file, buffer, 100, 7, &err) == -ESTALE && err.pos == 7);
    assert(ddf_file_read_parts(file, parts, 9, &err) == -ESTALE && err.pos == 9);
    faults_reset();
    assert(truncate(path, 10) == 0 && ddf_file_check(file, &err) == DDF_E_CHANGED && err.pos == 10);
    ddf_file_release(file);
    unlink(path);
    sample_file(path, SIZE);
}

static void ready_reads_never_wait(void) {
    uint8_t *buffer = malloc(SIZE);
    faults.mounted = 1;
    ddf_file *file = file_of();
    assert(ddf_file_can_be_ready(file) && ddf_file_view(file, 10, 0) == NULL);
    size_t got = ddf_file_read_ready(file, DDF_SCATTERED, buffer, SIZE, 0);
    assert(got <= SIZE && is_as_written(buffer, 0, got));
    faults.cache = CACHE_MISSES;
    assert(ddf_file_read_ready(file, DDF_SCATTERED, buffer, SIZE, 0) == 0 && ddf_file_can_be_ready(file));
    faults.cache = CACHE_UNKNOWN;
    assert(ddf_file_read_ready(file, DDF_SCATTERED, buffer, SIZE, 0) == 0 && !ddf_file_can_be_ready(file));
    faults.cache = CACHE_ASKED;
    assert(ddf_file_read_ready(file, DDF_SCATTERED, buffer, SIZE, 0) == 0 && faults.reads == 0); /* not asked again */
    ddf_file_release(file);
    faults_reset();
    free(buffer);
}

static void small_reads_come_to_be_copies(void) {
    uint8_t buffer[64];
    ddf_file *file = file_of();
    assert(ddf_file_view(file, 1, SIZE) == NULL && ddf_file_view(file, 2, SIZE - 1) == NULL);
    assert(ddf_file_view(file, SIZE_MAX, 5) == NULL && ddf_file_view(file, 0, 5) == NULL);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t offset = i * 7919 % (SIZE - 64);
        size_t got = ddf_file_read_ready(file, DDF_SCATTERED, buffer, 64, offset);
        assert(got <= 64 && is_as_written(buffer, offset, got));
        const uint8_t *view = ddf_file_view(file, 64, offset);
        assert(view == NULL || is_as_written(view, offset, 64));
    }
    ddf_file_release(file);
}

static void planned_reads_are_exact_whatever_their_edges(void) {
    static const uint64_t edges[] = {0, 1, 63, 511, 512, 4095, 4096, 4097, 8191, 8192, 12288, 99999, SIZE - 4097, SIZE - 1, SIZE};
    const size_t n = sizeof edges / sizeof *edges;
    uint8_t *memory = aligned_alloc(DDF_DIRECT_BLOCK, 2 << 20);
    ddf_err err;
    ddf_file *file = file_of();
    for (size_t i = 0; i < n * n * 9; i++) {
        uint64_t start = edges[i % n], stop = edges[i / n % n];
        ddf_access access = i / n / n % 3;
        if (stop < start) {
            continue;
        }
        size_t len = (size_t)(stop - start), off = i / n / n / 3; /* congruent where that is 0 */
        uint8_t *to = memory + 4096 + start % DDF_DIRECT_BLOCK + off;
        faults.short_reads = i % 3 == 0 ? 5000 : 0;
        memset(memory, 7, 2 << 20);
        assert(ddf_file_read_planned(file, access, to, len, start, &err) == 0 && is_as_written(to, start, len));
        int in_blocks = access == DDF_DIRECT && off == 0;
        size_t before = in_blocks ? start % DDF_DIRECT_BLOCK : 0, past = in_blocks ? -stop % DDF_DIRECT_BLOCK : 0;
        assert(to[-1 - (ptrdiff_t)before] == 7 && to[len + past] == 7);
    }
    assert(ddf_file_read_planned(file, DDF_DIRECT, memory + (SIZE - 60) % DDF_DIRECT_BLOCK, 100, SIZE - 60, &err) == DDF_E_EOF && err.pos == SIZE);
    faults.error = EIO;
    assert(ddf_file_read_planned(file, DDF_DIRECT, memory, 100, 4096, &err) == -EIO && err.pos == 4096);
    ddf_file_release(file);
    faults_reset();
    free(memory);
}

static void a_mounted_file_has_one_descriptor(void) {
    uint8_t buffer[100];
    ddf_err err;
    faults.mounted = 1;
    ddf_file *file = file_of();
    assert(ddf_file_planned_fd(file, DDF_SCATTERED) == ddf_file_fd(file));
    assert(ddf_file_read_planned(file, DDF_DIRECT, buffer, 100, 5, &err) == 0 && is_as_written(buffer, 5, 100));
    ddf_file_release(file);
    faults_reset();
}

static void what_is_missed_here_and_there_is_read_on_another_descriptor_from_then_on(void) {
    uint8_t buffer[100];
    ddf_file *file = file_of();
    int next = dup(0); /* the number that is free */
    close(next);
    faults.cache = CACHE_MISSES;
    assert(ddf_file_read_ready(file, DDF_DENSE, buffer, 100, 0) == 0 && fcntl(next, F_GETFD) == -1);
    assert(ddf_file_planned_fd(file, DDF_DENSE) == ddf_file_fd(file));
    assert(ddf_file_read_ready(file, DDF_SCATTERED, buffer, 100, 0) == 0 && fcntl(next, F_GETFD) == FD_CLOEXEC);
    assert(ddf_file_planned_fd(file, DDF_SCATTERED) == next && ddf_file_fd(file) != next);
    assert(ddf_file_planned_fd(file, DDF_DENSE) == ddf_file_fd(file));
    ddf_file_release(file);
    assert(fcntl(next, F_GETFD) == -1);
    faults_reset();
}

static void what_is_no_file_is_refused(void) {
    ddf_file *file;
    assert(ddf_file_open("/tmp", &file) == -EISDIR && ddf_file_open("/dev/null", &file) == -EINVAL);
    assert(ddf_file_open("/tmp/ddf_test_nothing_there", &file) == -ENOENT);
}

static void a_remote_file_is_never_ready_and_cannot_be_read(void) {
    ddf_file *file;
    uint8_t bytes[3];
    ddf_err err;
    assert(ddf_file_remote(100, &file) == 0 && ddf_file_is_remote(file) && ddf_file_size(file) == 100);
    assert(ddf_file_check(file, &err) == 0 && !ddf_file_can_be_ready(file) && !ddf_file_is_populated(file, 5));
    assert(ddf_file_view(file, 3, 5) == NULL && ddf_file_read_ready(file, DDF_SCATTERED, bytes, 3, 5) == 0);
    assert(ddf_file_read(file, bytes, 3, 5, &err) == -ENOTSUP && err.pos == 5);
    ddf_room parts[3] = {{bytes, 1}, {bytes + 1, 1}, {bytes + 2, 1}};
    assert(ddf_file_read_parts(file, parts, 7, &err) == -ENOTSUP && err.pos == 7);
    ddf_file_release(file);
    assert(ddf_file_open(path, &file) == 0 && !ddf_file_is_remote(file));
    ddf_file_release(file);
}

int main(void) {
    sample_file(path, SIZE);
    whole_reads_survive_short_ones_and_signals();
    the_end_and_errors_are_told_with_their_position();
    ready_reads_never_wait();
    small_reads_come_to_be_copies();
    planned_reads_are_exact_whatever_their_edges();
    a_mounted_file_has_one_descriptor();
    what_is_missed_here_and_there_is_read_on_another_descriptor_from_then_on();
    what_is_no_file_is_refused();
    a_remote_file_is_never_ready_and_cannot_be_read();
    unlink(path);
    return 0;
}
