#define _GNU_SOURCE
#include "ddf_sys.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <stdio.h>

#include "faults.h"

static void memory_is_zeroed_and_aligned(void) {
    for (size_t size = 1; size <= (size_t)4 << 20; size = size * 4 + 1) {
        uint8_t *memory = ddf_sys_memory(size);
        assert(memory != NULL && (uintptr_t)memory % 4096 == 0 && memory[0] == 0 && memory[size - 1] == 0);
        ddf_sys_memory_free(memory, size);
    }
    assert(ddf_sys_memory(SIZE_MAX / 2) == NULL);
}

static void a_notifier_stays_readable_until_cleared(void) {
    int fds[2];
    assert(ddf_sys_notifier_open(fds) == 0);
    struct pollfd watched = {.fd = fds[0], .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        assert(poll(&watched, 1, 0) == 0);
        ddf_sys_notifier_clear(fds); /* does not wait */
        for (int k = 0; k < 100; k++) {
            ddf_sys_notifier_raise(fds);
        }
        assert(poll(&watched, 1, 0) == 1);
        ddf_sys_notifier_clear(fds);
    }
    ddf_sys_notifier_close(fds);
}

static void cached_reads_stop_where_waiting_begins(void) {
    char path[32];
    uint8_t buffer[1000];
    sample_file(path, 500);
    int fd = ddf_sys_open(path);
    assert(fd >= 0 && ddf_sys_size(fd) == 500 && ddf_sys_end(fd) == 500);
    faults.interruptions = 2;
    int64_t got = ddf_sys_read_cached(fd, buffer, 1000, 0);
    assert(got == -ENOTSUP || (got >= 0 && got <= 500 && is_as_written(buffer, 0, (size_t)got)));
    faults.cache = CACHE_MISSES;
    assert(ddf_sys_read_cached(fd, buffer, 1000, 0) == 0);
    faults.cache = CACHE_UNKNOWN;
    assert(ddf_sys_read_cached(fd, buffer, 1000, 0) == -ENOTSUP);
    faults_reset();
    assert(ddf_sys_read(fd, buffer, 1000, 100) == 400 && is_as_written(buffer, 100, 400));
    assert(ddf_sys_read(fd, buffer, 1000, 500) == 0 && ddf_sys_read(-1, buffer, 1, 0) == -EBADF);
    ddf_sys_close(fd);
    unlink(path);
}

static void pages_behind_the_end_are_an_error_and_no_signal(void) {
    char path[32];
    sample_file(path, 8192);
    int fd = ddf_sys_open(path);
    const uint8_t *map = ddf_sys_map(fd, 8192);
    assert(map != NULL && is_as_written(map, 0, 8192));
    assert(truncate(path, 100) == 0 && ddf_sys_populate(map + 4096, 4096) < 0);
    ddf_sys_unmap(map, 8192);
    ddf_sys_close(fd);
    unlink(path);
}

static void readahead_is_that_of_the_device(void) {
    char path[32], setting[64];
    struct stat st;
    unsigned long kib = 0;
    sample_file(path, 10);
    int fd = ddf_sys_open(path);
    assert(fstat(fd, &st) == 0);
    snprintf(setting, sizeof setting, "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev), minor(st.st_dev));
    FILE *file = fopen(setting, "r");
    if (file != NULL) {
        assert(fscanf(file, "%lu", &kib) == 1);
        fclose(file);
    }
    int other = ddf_sys_open("/proc/self/stat"); /* on no device that reads ahead */
    for (int i = 0; i < 3; i++) {
        assert(ddf_sys_readahead(fd) == (uint64_t)kib << 10 && ddf_sys_readahead(other) == 0 && ddf_sys_readahead(-1) == 0);
    }
    ddf_sys_close(other);
    ddf_sys_close(fd);
    unlink(path);
}

int main(void) {
    memory_is_zeroed_and_aligned();
    a_notifier_stays_readable_until_cleared();
    cached_reads_stop_where_waiting_begins();
    pages_behind_the_end_are_an_error_and_no_signal();
    readahead_is_that_of_the_device();
    assert(ddf_sys_processors() >= 1);
    return 0;
}
