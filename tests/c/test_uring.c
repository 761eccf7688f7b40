#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ddf_uring.h"

#define PAGE ((size_t)4096)
#define PAGES ((size_t)512)

static uint8_t byte_at(uint64_t position) { return (uint8_t)(position * 7 + position / PAGE); }

/* A file whose bytes tell their position. */
static int new_file(void) {
    char path[] = "/tmp/ddf_test_uring_XXXXXX";
    int fd = mkstemp(path);
    assert(fd >= 0 && unlink(path) == 0);
    uint8_t *data = malloc(PAGES * PAGE);
    assert(data != NULL);
    for (size_t i = 0; i < PAGES * PAGE; i++) {
        data[i] = byte_at(i);
    }
    assert(write(fd, data, PAGES * PAGE) == (ssize_t)(PAGES * PAGE));
    free(data);
    return fd;
}

static void make_cold(int fd) {
    assert(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
}

static ddf_uring *started(size_t depth) {
    ddf_uring *ring;
    assert(ddf_uring_new(depth, &ring) == 0 && ddf_uring_start(ring) == 0);
    assert(ddf_uring_room(ring) == depth && ddf_uring_in_flight(ring) == 0);
    return ring;
}

static void check_bytes(const uint8_t *data, size_t len, uint64_t offset) {
    for (size_t i = 0; i < len; i++) {
        assert(data[i] == byte_at(offset + i));
    }
}

static void reads_land_where_they_belong(size_t depth) {
    int fd = new_file();
    ddf_uring *ring = started(depth);
    uint8_t *buffer = malloc(PAGES * PAGE);
    unsigned char seen[PAGES] = {0};
    ddf_uring_end ends[7];
    assert(buffer != NULL);
    for (int cold = 0; cold < 2; cold++) {
        memset(buffer, 0, PAGES * PAGE);
        memset(seen, 0, sizeof seen);
        if (cold) {
            make_cold(fd);
        }
        for (size_t next = 0, ended = 0; ended < PAGES;) {
            for (; next < PAGES && ddf_uring_room(ring) > 0; next++) {
                size_t page = next * 37 % PAGES;
                ddf_uring_read(ring, fd, buffer + page * PAGE, PAGE, page * PAGE, &seen[page], page);
            }
            size_t n = ddf_uring_wait(ring, ends, sizeof ends / sizeof *ends);
            for (size_t i = 0; i < n; i++) {
                unsigned char *mark = ends[i].owner;
                assert(ends[i].got == (int64_t)PAGE && mark == &seen[ends[i].number] && !*mark);
                *mark = 1;
            }
            ended += n;
        }
        check_bytes(buffer, PAGES * PAGE, 0);
    }
    assert(ddf_uring_in_flight(ring) == 0 && ddf_uring_room(ring) == depth);
    free(buffer);
    ddf_uring_free(ring);
    close(fd);
}

static int64_t read_one(ddf_uring *ring, int fd, uint8_t *buffer, size_t len, uint64_t offset) {
    ddf_uring_end end;
    int owner = 0;
    ddf_uring_read(ring, fd, buffer, len, offset, &owner, 3);
    while (ddf_uring_wait(ring, &end, 1) == 0) {
    }
    assert(end.owner == &owner && end.number == 3);
    return end.got;
}

static void a_read_across_the_end_gives_what_there_is(void) {
    int fd = new_file();
    ddf_uring *ring = started(4);
    uint8_t buffer[3 * 4096];
    assert(read_one(ring, fd, buffer, sizeof buffer, (PAGES - 2) * PAGE + 100) == (int64_t)(2 * PAGE - 100));
    check_bytes(buffer, 2 * PAGE - 100, (PAGES - 2) * PAGE + 100);
    assert(read_one(ring, fd, buffer, sizeof buffer, PAGES * PAGE + 5) == 0);
    ddf_uring_free(ring);
    close(fd);
}

static void an_error_ends_its_own_read_only(void) {
    int fd = new_file();
    ddf_uring *ring = started(4);
    uint8_t buffer[4096];
    assert(read_one(ring, -1, buffer, sizeof buffer, 0) == -EBADF);
    int folder = open("/tmp", O_RDONLY);
    assert(folder >= 0 && read_one(ring, folder, buffer, sizeof buffer, 0) == -EISDIR);
    assert(read_one(ring, fd, (uint8_t *)16, 4096, 0) == -EFAULT);
    assert(read_one(ring, fd, buffer, sizeof buffer, PAGE) == (int64_t)PAGE);
    check_bytes(buffer, PAGE, PAGE);
    close(folder);
    ddf_uring_free(ring);
    close(fd);
}

/* A pipe gives what it has: the shortest reads there are. */
static void short_reads_are_gone_on_with(void) {
    int fds[2];
    assert(pipe(fds) == 0 && write(fds[1], "abc", 3) == 3);
    ddf_uring *ring = started(1);
    ddf_uring_end end;
    uint8_t buffer[8];
    ddf_uring_read(ring, fds[0], buffer, 6, 0, ring, 0);
    ddf_uring_wake(ring);
    assert(ddf_uring_wait(ring, &end, 1) == 0 && ddf_uring_in_flight(ring) == 1);
    assert(write(fds[1], "def", 3) == 3);
    while (ddf_uring_wait(ring, &end, 1) == 0) {
    }
    assert(end.got == 6 && memcmp(buffer, "abcdef", 6) == 0);
    ddf_uring_free(ring);
    close(fds[0]);
    close(fds[1]);
}

static void *wake_later(void *ring) {
    usleep(20000);
    ddf_uring_wake(ring);
    return NULL;
}

static void a_wake_ends_the_wait(void) {
    ddf_uring *ring = started(1);
    ddf_uring_end end;
    ddf_uring_wake(ring);
    assert(ddf_uring_wait(ring, &end, 1) == 0);
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert(pthread_create(&thread, NULL, wake_later, ring) == 0);
        assert(ddf_uring_wait(ring, &end, 1) == 0);
        pthread_join(thread, NULL);
    }
    ddf_uring_free(ring);
}

static void cancelled_reads_end(size_t depth) {
    int fds[2];
    assert(pipe(fds) == 0); /* nobody ever writes */
    ddf_uring *ring = started(depth);
    uint8_t *buffer = malloc(depth);
    ddf_uring_end ends[5];
    for (size_t i = 0; i < depth; i++) {
        ddf_uring_read(ring, fds[0], buffer + i, 1, 0, ring, i);
    }
    ddf_uring_wake(ring);
    assert(ddf_uring_wait(ring, ends, 5) == 0 && ddf_uring_in_flight(ring) == depth);
    ddf_uring_cancel(ring);
    assert(ddf_uring_room(ring) == 0);
    while (ddf_uring_in_flight(ring) > 0) {
        size_t n = ddf_uring_wait(ring, ends, 5);
        for (size_t i = 0; i < n; i++) {
            assert(ends[i].owner == ring && (ends[i].got == -ECANCELED || ends[i].got == -EINTR));
        }
    }
    assert(ddf_uring_wait(ring, ends, 5) == 0); /* nothing left to wait for */
    free(buffer);
    ddf_uring_free(ring);
    close(fds[0]);
    close(fds[1]);
}

static void a_ring_that_never_started_can_be_freed(void) {
    ddf_uring *ring;
    assert(ddf_uring_new(32, &ring) == 0);
    ddf_uring_free(ring);
    ddf_uring_free(NULL);
}

static void nonsense_depths_are_refused(void) {
    ddf_uring *ring;
    assert(ddf_uring_new(0, &ring) == -EINVAL && ddf_uring_new(1025, &ring) == -EINVAL);
}

int main(void) {
    ddf_uring *ring;
    int status = ddf_uring_new(1, &ring);
    if (status < 0) {
        printf("skipped: no io_uring here (%s)\n", strerror(-status));
        return 0;
    }
    ddf_uring_free(ring);
    reads_land_where_they_belong(1);
    reads_land_where_they_belong(32);
    reads_land_where_they_belong(1024);
    a_read_across_the_end_gives_what_there_is();
    an_error_ends_its_own_read_only();
    short_reads_are_gone_on_with();
    a_wake_ends_the_wait();
    cancelled_reads_end(1);
    cancelled_reads_end(64);
    a_ring_that_never_started_can_be_freed();
    nonsense_depths_are_refused();
    return 0;
}
