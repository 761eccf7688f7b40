#define _GNU_SOURCE
#include "ddf_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

/* One call reads at most this much everywhere (Linux stops just below 2 GiB, macOS refuses more). */
#define CALL_MAX ((size_t)1 << 30)

void ddf_sys_prefer_huge(void *memory, size_t size) {
#ifdef MADV_HUGEPAGE
    if (size >= HUGE_PAGE) {
        (void)madvise(memory, size, MADV_HUGEPAGE); /* advice: a refusal costs speed only */
    }
#else
    (void)memory, (void)size;
#endif
}

void *ddf_sys_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    ddf_sys_prefer_huge(memory, size);
    return memory;
}

void *ddf_sys_reserve(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void ddf_sys_memory_free(void *memory, size_t size) { (void)munmap(memory, size); }

void ddf_sys_start_writeback(int fd, uint64_t offset, uint64_t len) {
#ifdef __linux__
    (void)sync_file_range(fd, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
#else
    (void)fd, (void)offset, (void)len;
#endif
}

void ddf_sys_reuse_freed(size_t size) {
    void *volatile block = malloc(size); /* volatile: the pair would be optimised away */
    free(block);
}

int ddf_sys_open(const char *path) {
    int fd;
    do {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFL, 0); /* io_uring would not wait for a disk */
    }
    return fd < 0 ? -errno : fd;
}

#ifdef __linux__
/* A description of its own, even if the path names another file by now. */
static int open_again(int fd, int flags) {
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC | flags);
    return again < 0 ? -errno : again;
}

int ddf_sys_open_scattered(int fd) {
    int again = open_again(fd, 0);
    int status = again < 0 ? again : -posix_fadvise(again, 0, 0, POSIX_FADV_RANDOM);
    if (status < 0 && again >= 0) {
        ddf_sys_close(again);
    }
    return status < 0 ? status : again;
}

/* Linux 6.1 and later report the alignment of direct reads. On older ones a read fails. */
static int suits_direct(int fd) {
#ifdef SYS_statx
    const uint32_t asked = 0x2000; /* STATX_DIOALIGN, which old headers lack */
    struct {
        uint32_t mask, unused[37], memory, offset; /* as in linux/stat.h; 0: direct reads are not supported */
        uint64_t rest[12];
    } found = {0};
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, asked, &found) >= 0 && (found.mask & asked) != 0) {
        return found.memory != 0 && found.memory <= DDF_DIRECT_BLOCK && found.offset != 0 &&
               found.offset <= DDF_DIRECT_BLOCK;
    }
#endif
    return 1;
}

int ddf_sys_open_direct(int fd) { return suits_direct(fd) ? open_again(fd, O_DIRECT) : -ENOTSUP; }
#else
int ddf_sys_open_scattered(int fd) { return (void)fd, -ENOTSUP; }
int ddf_sys_open_direct(int fd) { return (void)fd, -ENOTSUP; }
#endif

void ddf_sys_close(int fd) { (void)close(fd); }

int ddf_sys_replace(int fd, int other) {
#ifdef __linux__
    int status;
    do {
        status = dup3(other, fd, O_CLOEXEC);
    } while (status < 0 && (errno == EINTR || errno == EBUSY));
#else
    int status = dup2(other, fd);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    if (status < 0) {
        return -errno;
    }
    ddf_sys_close(other);
    return DDF_OK;
}

int64_t ddf_sys_size(int fd) {
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    return S_ISREG(st.st_mode) ? (int64_t)st.st_size : S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}

static ddf_stamp stamp_of(const struct stat *st) {
#ifdef __APPLE__
    struct timespec t = st->st_mtimespec;
#else
    struct timespec t = st->st_mtim;
#endif
    return (ddf_stamp){(uint64_t)st->st_size, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec};
}

int ddf_sys_stamp(int fd, ddf_stamp *out) {
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    *out = stamp_of(&st);
    return DDF_OK;
}

int ddf_sys_stamp_of(const char *path, ddf_stamp *out) {
    struct stat st;
    if (stat(path, &st) < 0) {
        return -errno;
    }
    *out = stamp_of(&st);
    return DDF_OK;
}

size_t ddf_sys_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 256; /* what the most modest systems give */
    }
    return limit.rlim_cur > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)limit.rlim_cur;
}

int64_t ddf_sys_end(int fd) {
    off_t end = lseek(fd, 0, SEEK_END); /* the position of the descriptor is not used */
    return end < 0 ? -(int64_t)errno : (int64_t)end;
}

int64_t ddf_sys_read_once(int fd, void *buffer, size_t len, uint64_t offset) {
    ssize_t got;
    do {
        got = pread(fd, buffer, len < CALL_MAX ? len : CALL_MAX, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int64_t ddf_sys_read(int fd, void *buffer, size_t len, uint64_t offset) {
    size_t done = 0;
    while (done < len) {
        int64_t got = ddf_sys_read_once(fd, (uint8_t *)buffer + done, len - done, offset + done);
        if (got < 0) {
            return got;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (int64_t)done;
}

int64_t ddf_sys_read_parts(int fd, const ddf_room parts[3], uint64_t offset) {
    struct iovec vector[3];
    for (int i = 0; i < 3; i++) {
        vector[i] = (struct iovec){parts[i].data, parts[i].size};
    }
    int64_t total = (int64_t)(parts[0].size + parts[1].size + parts[2].size), done;
    do {
        done = preadv(fd, vector, 3, (off_t)offset);
    } while (done < 0 && errno == EINTR);
    if (done < 0) {
        return -errno;
    }
    int64_t skipped = 0; /* what a short read left over is read part by part */
    for (int i = 0; i < 3 && done < total; i++) {
        int64_t size = (int64_t)parts[i].size, have = done - skipped;
        if (have < size) {
            int64_t rest = ddf_sys_read(fd, (uint8_t *)parts[i].data + have, (size_t)(size - have), offset + (uint64_t)done);
            if (rest < 0) {
                return rest;
            }
            done += rest;
            if (rest < size - have) {
                break;
            }
        }
        skipped += size;
    }
    return done;
}

int64_t ddf_sys_read_cached(int fd, void *buffer, size_t len, uint64_t offset) {
#ifdef RWF_NOWAIT
    size_t done = 0;
    while (done < len) {
        size_t want = len - done < CALL_MAX ? len - done : CALL_MAX;
        struct iovec part = {(uint8_t *)buffer + done, want};
        ssize_t got = preadv2(fd, &part, 1, (off_t)(offset + done), RWF_NOWAIT);
        if (got > 0) {
            done += (size_t)got;
        } else if (got == 0 || errno == EAGAIN) {
            break; /* the rest is on disk, or there is none: a waiting read finds out */
        } else if (errno != EINTR) {
            return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? -ENOTSUP : -errno;
        }
    }
    return (int64_t)done;
#else
    (void)fd, (void)buffer, (void)len, (void)offset;
    return -ENOTSUP;
#endif
}

int ddf_sys_is_local(int fd) {
#ifdef __linux__
    struct statfs st;
    if (fstatfs(fd, &st) < 0) {
        return 0;
    }
    switch ((uint32_t)st.f_type) { /* magic numbers from linux/magic.h */
    case 0xef53u:                  /* ext2, ext3, ext4 */
    case 0x58465342u:              /* XFS */
    case 0x9123683eu:              /* Btrfs */
    case 0x01021994u:              /* tmpfs */
    case 0xf2f52010u:              /* F2FS */
    case 0x794c7630u:              /* overlay */
        return 1;
    default:
        return 0;
    }
#else
    (void)fd;
    return 0;
#endif
}

uint64_t ddf_sys_readahead(int fd) {
#ifdef __linux__
    struct stat st;
    char path[64], text[24] = "";
    if (fstat(fd, &st) < 0) {
        return 0;
    }
    (void)snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev), minor(st.st_dev));
    int file = ddf_sys_open(path);
    if (file < 0) {
        return 0;
    }
    ssize_t got = read(file, text, sizeof text - 1);
    text[got < 0 ? 0 : got] = 0;
    ddf_sys_close(file);
    return (uint64_t)strtoul(text, NULL, 10) << 10;
#else
    (void)fd;
    return 0;
#endif
}

const uint8_t *ddf_sys_map(int fd, size_t size) {
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

void ddf_sys_unmap(const uint8_t *map, size_t size) { (void)munmap((void *)(uintptr_t)map, size); }

#ifdef __linux__
/* cachestat(2), Linux 6.5: pages of a range that are in the page cache, or -errno. */
static int64_t cachestat_pages(int fd, uint64_t offset, uint64_t len) {
    struct {
        uint64_t offset, len;
    } range = {offset, len};
    struct {
        uint64_t cached, dirty, writeback, evicted, recently_evicted;
    } counts;
    long status = syscall(451, fd, &range, &counts, 0);
    return status < 0 ? -errno : (int64_t)counts.cached;
}

/* mincore(2) returns the truth only to processes that may write the file. */
static int mincore_all(int fd, const uint8_t *at, size_t pages, size_t page) {
    struct stat st;
    unsigned char resident[1024];
    if (fstat(fd, &st) < 0 || (geteuid() != 0 && geteuid() != st.st_uid) || pages > sizeof resident) {
        return 0;
    }
    if (mincore((void *)(uintptr_t)at, pages * page, resident) < 0) {
        return 0;
    }
    for (size_t i = 0; i < pages; i++) {
        if (!(resident[i] & 1)) {
            return 0;
        }
    }
    return 1;
}
#endif

int ddf_sys_is_cached(int fd, const uint8_t *map, uint64_t offset, size_t len) {
#ifdef __linux__
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (len + page - 1) / page;
    int64_t cached = cachestat_pages(fd, offset, len);
    return cached >= 0 ? (uint64_t)cached >= pages : mincore_all(fd, map + offset, pages, page);
#else
    (void)fd, (void)map, (void)offset, (void)len;
    return 0;
#endif
}

int ddf_sys_populate(const uint8_t *at, size_t len) {
#ifdef __linux__
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif
    int status;
    do {
        status = madvise((void *)(uintptr_t)at, len, MADV_POPULATE_READ);
    } while (status < 0 && (errno == EINTR || errno == EAGAIN));
    return status < 0 ? -errno : 0;
#else
    (void)at, (void)len;
    return -ENOTSUP;
#endif
}

int ddf_sys_notifier_open(int fds[2]) {
#ifdef __linux__
    fds[0] = fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fds[0] < 0 ? -errno : 0;
#else
    if (pipe(fds) < 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
#endif
}

void ddf_sys_notifier_close(const int fds[2]) {
    (void)close(fds[0]);
    if (fds[1] != fds[0]) {
        (void)close(fds[1]);
    }
}

void ddf_sys_notifier_raise(const int fds[2]) {
    static const uint64_t one = 1;
    ssize_t status; /* EAGAIN: it is raised already */
    do {
        status = write(fds[1], &one, sizeof one);
    } while (status < 0 && errno == EINTR);
}

void ddf_sys_notifier_clear(const int fds[2]) {
    uint64_t counts[16];
    ssize_t status;
    do {
        status = read(fds[0], counts, sizeof counts);
    } while ((status < 0 && errno == EINTR) || status == (ssize_t)sizeof counts);
}

#ifdef __linux__
/* The same numbers on every architecture; old headers lack them. */
#define URING_SETUP 425
#define URING_ENTER 426
#define URING_REGISTER 427

int ddf_sys_uring_setup(uint32_t entries, void *params) {
    long fd = syscall(URING_SETUP, entries, params); /* close-on-exec */
    return fd < 0 ? -errno : (int)fd;
}

int ddf_sys_uring_enter(int fd, uint32_t submit, uint32_t least, uint32_t flags) {
    long taken = syscall(URING_ENTER, fd, submit, least, flags, NULL, (size_t)0);
    return taken < 0 ? -errno : (int)taken;
}

int ddf_sys_uring_register(int fd, uint32_t opcode) {
    return syscall(URING_REGISTER, fd, opcode, NULL, 0) < 0 ? -errno : 0;
}

void *ddf_sys_uring_map(int fd, size_t size, uint64_t what) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)what);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(memory, size, MADV_DONTFORK);
    return memory;
}
#else
int ddf_sys_uring_setup(uint32_t entries, void *params) { return (void)entries, (void)params, -ENOSYS; }
int ddf_sys_uring_register(int fd, uint32_t opcode) { return (void)fd, (void)opcode, -ENOSYS; }
void *ddf_sys_uring_map(int fd, size_t size, uint64_t what) { return (void)fd, (void)size, (void)what, NULL; }

int ddf_sys_uring_enter(int fd, uint32_t submit, uint32_t least, uint32_t flags) {
    return (void)fd, (void)submit, (void)least, (void)flags, -ENOSYS;
}
#endif

void ddf_sys_sleep_ms(int ms) {
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000L};
    while (nanosleep(&time, &time) < 0 && errno == EINTR) {
    }
}

uint64_t ddf_sys_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

size_t ddf_sys_processors(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (size_t)CPU_COUNT(&set);
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (size_t)n;
}

int64_t ddf_sys_process(void) { return getpid(); }
