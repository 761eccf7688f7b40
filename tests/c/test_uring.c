#ifdef __linux__
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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

/* What containers do: a system call of this number fails with EPERM from now on. */
static void forbid(uint32_t number) {
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, /* the number comes first */
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    assert(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void in_a_child(void (*test)(void)) {
    int status;
    pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        test();
        _exit(0);
    }
    assert(waitpid(child, &status, 0) == child && status == 0);
}

static void a_forbidden_ring_is_told(void) {
    ddf_uring *ring;
    forbid(425); /* io_uring_setup */
    assert(ddf_uring_new(8, &ring) == -EPERM);
}

static void reads_fail_where_the_kernel_stops_taking_them(void) {
    ddf_uring *ring = started(4);
    ddf_uring_end ends[4];
    uint8_t buffer[4];
    forbid(426); /* io_uring_enter */
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 4; i++) {
            ddf_uring_read(ring, 0, buffer, sizeof buffer, 0, ring, i);
        }
        for (size_t n = 0; n < 4;) {
            size_t got = ddf_uring_wait(ring, ends, 4);
            for (size_t i = 0; i < got; i++) {
                assert(ends[i].got == -EPERM);
            }
            n += got;
        }
        assert(ddf_uring_room(ring) == 4);
    }
    ddf_uring_cancel(ring);
    assert(ddf_uring_wait(ring, ends, 4) == 0);
    ddf_uring_free(ring);
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
    in_a_child(a_forbidden_ring_is_told);
    in_a_child(reads_fail_where_the_kernel_stops_taking_them);
    return 0;
}
#else
int main(void) { return 0; } /* io_uring is Linux's */
#endif
