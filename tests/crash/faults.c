/* Preloaded into a writer: makes its n-th system call on files below a folder its last one, or fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NONE, KILL, FULL, BROKEN, SHORT };

static atomic_long calls;
static long last;
static int fault;
static char folder[PATH_MAX];

void ddf_arm(const char *below, int kind, long at) {
    snprintf(folder, sizeof folder, "%s", below);
    calls = 0, last = at, fault = kind;
}

long ddf_calls(void) { return calls; }

static int is_ours(const char *path) { return folder[0] && strstr(path, folder) != NULL; }

static int fd_is_ours(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_ours(path);
}

/* Every call is a place to die at; only writes fail. */
static void may_die(int ours) {
    if (ours && (fault == NONE || fault == KILL) && ++calls == last && fault == KILL) kill(getpid(), SIGKILL);
}

#define NEXT(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

static int fails(int fd, size_t *size) {
    int ours = fd_is_ours(fd);
    may_die(ours);
    if (!ours || fault <= KILL) return 0;
    long call = ++calls;
    if (fault == FULL && call >= last) return ENOSPC;
    if (fault == BROKEN && call == last) return EIO;
    if (fault == SHORT && call == last && *size > 1) *size /= 2;
    return 0;
}

ssize_t write(int fd, const void *data, size_t size) {
    int error = fails(fd, &size);
    if (error) return errno = error, -1;
    return NEXT(ssize_t, write, int, const void *, size_t)(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    int error = fails(fd, &size);
    if (error) return errno = error, -1;
    return NEXT(ssize_t, pwrite64, int, const void *, size_t, off_t)(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int fsync(int fd) {
    may_die(fd_is_ours(fd));
    return NEXT(int, fsync, int)(fd);
}

int ftruncate64(int fd, off_t size) {
    may_die(fd_is_ours(fd));
    return NEXT(int, ftruncate64, int, off_t)(fd, size);
}

int rename(const char *from, const char *to) {
    may_die(is_ours(from));
    return NEXT(int, rename, const char *, const char *)(from, to);
}

int open64(const char *path, int flags, ...) {
    may_die(is_ours(path));
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return NEXT(int, open64, const char *, int, ...)(path, flags, mode);
}

int fchmod(int fd, mode_t mode) {
    may_die(fd_is_ours(fd));
    return NEXT(int, fchmod, int, mode_t)(fd, mode);
}

int unlink(const char *path) {
    may_die(is_ours(path));
    return NEXT(int, unlink, const char *)(path);
}
