/* steady: what else would differ between machines, replaced for a counted program.
 *
 * The system's answers decide which way a kernel takes: here, all data is in the page cache of a local file system, the
 * system has none of the younger calls, and no thread can be started. What the C library does is not counted, as each
 * version does it otherwise on each processor; but the price of copies is part of a kernel, so these are plain ones. */
#define _GNU_SOURCE
#pragma GCC optimize("no-tree-loop-distribute-patterns") /* no memcpy that calls memcpy */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

ssize_t preadv2(int fd, const struct iovec *parts, int n, off_t offset, int flags) {
    (void)flags;
    return preadv(fd, parts, n, offset);
}

int fstatfs(int fd, struct statfs *st) {
    (void)fd;
    *st = (struct statfs){.f_type = 0xef53}; /* ext4 */
    return 0;
}

int mincore(void *at, size_t size, unsigned char *resident) {
    (void)at;
    memset(resident, 1, (size + 4095) / 4096);
    return 0;
}

int madvise(void *at, size_t size, int advice) {
    (void)at, (void)size, (void)advice;
    return 0;
}

long syscall(long number, ...) {
    (void)number;
    errno = ENOSYS;
    return -1;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    (void)thread, (void)attributes, (void)start, (void)argument;
    return EAGAIN;
}

/* 16 bytes at a time, as any processor can. */
typedef struct word {
    long long halves[2];
} __attribute__((packed)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    unsigned char *t = to;
    const unsigned char *f = from;
    for (; n >= sizeof(word); n -= sizeof(word), t += sizeof(word), f += sizeof(word)) {
        *(word *)t = *(const word *)f;
    }
    for (; n > 0; n--) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t <= f || t >= f + n) {
        for (size_t i = 0; i < n; i++) {
            t[i] = f[i];
        }
    } else {
        while (n-- > 0) {
            t[n] = f[n];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t n) {
    unsigned char *t = to;
    long long half = (long long)((unsigned char)value * 0x0101010101010101ull);
    for (; n >= sizeof(word); n -= sizeof(word), t += sizeof(word)) {
        *(word *)t = (word){{half, half}};
    }
    for (; n > 0; n--) {
        *t++ = (unsigned char)value;
    }
    return to;
}

int memcmp(const void *one, const void *two, size_t n) {
    const unsigned char *a = one, *b = two;
    while (n >= 8) {
        long long x, y;
        __builtin_memcpy(&x, a, 8);
        __builtin_memcpy(&y, b, 8);
        if (x != y) {
            break;
        }
        a += 8, b += 8, n -= 8;
    }
    for (; n > 0; n--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}
