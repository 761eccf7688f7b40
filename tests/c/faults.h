/* Storage that misbehaves when told to: stand-ins for the system calls that ddf_sys and ddf_engine make.
 * Link with -Wl,--wrap=pread,--wrap=preadv,--wrap=preadv2,--wrap=pthread_create,--wrap=fstatfs. */
#ifndef FAULTS_H
#define FAULTS_H

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { CACHE_ASKED, CACHE_MISSES, CACHE_UNKNOWN }; /* preadv2: as the system has it, EAGAIN, EOPNOTSUPP */

static struct {
    atomic_int cache;
    atomic_int error;          /* errno of waiting reads, 0: none */
    atomic_int error_at;       /* waiting reads that succeed before */
    atomic_int error_until;    /* if not 0: waiting reads that may fail */
    atomic_int interruptions;  /* EINTR that often */
    atomic_size_t short_reads; /* at most this many bytes a call, 0: no limit */
    atomic_int delay_us, copy_delay_us;
    atomic_int stuck;  /* waiting reads hang while this is set */
    atomic_int stuck_at; /* waiting reads that do not hang before */
    atomic_int mounted; /* the file system is none that files are mapped from */
    atomic_int threads_refused;
    atomic_int reads, missed, in_flight, in_flight_max, copies, copies_max;
} faults;

static inline void faults_reset(void) { memset((void *)&faults, 0, sizeof faults); }

static void enter(atomic_int *now, atomic_int *most) {
    int n = atomic_fetch_add(now, 1) + 1, seen = atomic_load(most);
    while (n > seen && !atomic_compare_exchange_weak(most, &seen, n)) {
    }
}

ssize_t __real_pread(int fd, void *buffer, size_t len, off_t offset);
ssize_t __real_preadv(int fd, const struct iovec *parts, int n, off_t offset);
ssize_t __real_preadv2(int fd, const struct iovec *parts, int n, off_t offset, int flags);
int __real_fstatfs(int fd, struct statfs *st);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
ssize_t __wrap_pread(int fd, void *buffer, size_t len, off_t offset);
ssize_t __wrap_preadv(int fd, const struct iovec *parts, int n, off_t offset);
ssize_t __wrap_preadv2(int fd, const struct iovec *parts, int n, off_t offset, int flags);
int __wrap_fstatfs(int fd, struct statfs *st);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);

static int refuse(int error) {
    errno = error;
    return -1;
}

/* The error of the waiting read of this number. */
static int error_of(int number) {
    int until = atomic_load(&faults.error_until);
    return number >= atomic_load(&faults.error_at) && (until == 0 || number < until) ? atomic_load(&faults.error) : 0;
}

static int interrupted(void) {
    if (atomic_load(&faults.interruptions) <= 0) {
        return 0;
    }
    return atomic_fetch_sub(&faults.interruptions, 1) > 0;
}

ssize_t __wrap_pread(int fd, void *buffer, size_t len, off_t offset) {
    if (interrupted()) {
        return refuse(EINTR);
    }
    int number = atomic_fetch_add(&faults.reads, 1);
    enter(&faults.in_flight, &faults.in_flight_max);
    while (number >= atomic_load(&faults.stuck_at) && atomic_load(&faults.stuck)) {
        usleep(500);
    }
    usleep((useconds_t)atomic_load(&faults.delay_us));
    size_t most = atomic_load(&faults.short_reads);
    int error = error_of(number);
    ssize_t got = error != 0 ? 0 : __real_pread(fd, buffer, most != 0 && most < len ? most : len, offset);
    atomic_fetch_sub(&faults.in_flight, 1);
    return error != 0 ? refuse(error) : got;
}

ssize_t __wrap_preadv(int fd, const struct iovec *parts, int n, off_t offset) {
    if (interrupted()) {
        return refuse(EINTR);
    }
    size_t most = atomic_load(&faults.short_reads);
    int error = error_of(atomic_fetch_add(&faults.reads, 1));
    if (error != 0) {
        return refuse(error);
    }
    if (most == 0) {
        return __real_preadv(fd, parts, n, offset);
    }
    struct iovec cut[8];
    int used = 0;
    for (; used < n && most > 0; used++) {
        cut[used] = parts[used];
        cut[used].iov_len = parts[used].iov_len < most ? parts[used].iov_len : most;
        most -= cut[used].iov_len;
    }
    return __real_preadv(fd, cut, used, offset);
}

ssize_t __wrap_preadv2(int fd, const struct iovec *parts, int n, off_t offset, int flags) {
    if (interrupted()) {
        return refuse(EINTR);
    }
    int cache = atomic_load(&faults.cache);
    if (cache != CACHE_ASKED) {
        atomic_fetch_add(&faults.missed, 1);
        return refuse(cache == CACHE_MISSES ? EAGAIN : EOPNOTSUPP);
    }
    enter(&faults.copies, &faults.copies_max);
    usleep((useconds_t)atomic_load(&faults.copy_delay_us));
    assert(n == 1);
    struct iovec part = parts[0];
    size_t most = atomic_load(&faults.short_reads);
    part.iov_len = most != 0 && most < part.iov_len ? most : part.iov_len;
    ssize_t got = __real_preadv2(fd, &part, 1, offset, flags);
    atomic_fetch_sub(&faults.copies, 1);
    return got;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg) {
    return atomic_load(&faults.threads_refused) ? EAGAIN : __real_pthread_create(thread, attr, start, arg);
}

int __wrap_fstatfs(int fd, struct statfs *st) {
    int status = __real_fstatfs(fd, st);
    if (atomic_load(&faults.mounted)) {
        st->f_type = 0x6969; /* NFS */
    }
    return status;
}

/* A file whose byte at every position is known. */
static inline uint8_t byte_at(uint64_t position) { return (uint8_t)(position * 31 + (position >> 8) * 7); }

static inline void sample_file(char path[32], size_t size) {
    strcpy(path, "/tmp/ddf_test_XXXXXX");
    int fd = mkstemp(path);
    uint8_t *data = malloc(size + 1);
    assert(fd >= 0 && data != NULL);
    for (size_t i = 0; i < size; i++) {
        data[i] = byte_at(i);
    }
    assert(write(fd, data, size) == (ssize_t)size);
    close(fd);
    free(data);
}

static inline int is_as_written(const uint8_t *data, uint64_t offset, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (data[i] != byte_at(offset + i)) {
            return 0;
        }
    }
    return 1;
}

#endif
