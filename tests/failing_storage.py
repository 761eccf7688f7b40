"""A mount that fails on demand: replacements of system calls, loaded before those of the C library.

Every file seems to be on NFS. Reads of the data file FAR_INODE are counted from `far_begin` on. After FAR_FIRST of
them, FAR_COUNT fail with FAR_ERRNO, return half of the bytes (FAR_SHORT) or take FAR_HANG_MS longer; `far_failed`
returns their number.
"""

import shutil
import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NEXT(name) static __typeof__(name) *next; if (next == NULL) next = dlsym(RTLD_NEXT, #name);

static atomic_long reads, failed;
void far_begin(void) { atomic_store(&reads, 0); atomic_store(&failed, 0); }
int far_failed(void) { return (int)atomic_load(&failed); }
static long setting(const char *name) { const char *text = getenv(name); return text == NULL ? 0 : atol(text); }

/* Count a read of the data file, and fail as told. Returns how many bytes to read, or -1 with errno. */
static ssize_t admit(int fd, size_t n) {
    struct stat s;
    if (fstat(fd, &s) < 0 || (long)s.st_ino != setting("FAR_INODE")) return (ssize_t)n;
    long number = atomic_fetch_add(&reads, 1), first = setting("FAR_FIRST");
    if (number < first || number >= first + setting("FAR_COUNT")) return (ssize_t)n;
    atomic_fetch_add(&failed, 1);
    usleep((useconds_t)setting("FAR_HANG_MS") * 1000);
    errno = (int)setting("FAR_ERRNO");
    return errno != 0 ? -1 : setting("FAR_SHORT") ? (ssize_t)(n + 1) / 2 : (ssize_t)n;
}

int fstatfs(int fd, struct statfs *s) {
    NEXT(fstatfs) int status = next(fd, s); s->f_type = 0x6969; return status;
}
int fstatfs64(int fd, struct statfs64 *s) {
    NEXT(fstatfs64) int status = next(fd, s); s->f_type = 0x6969; return status;
}
ssize_t pread(int fd, void *b, size_t n, off_t at) {
    NEXT(pread) ssize_t m = admit(fd, n); return m < 0 ? m : next(fd, b, (size_t)m, at);
}
ssize_t pread64(int fd, void *b, size_t n, off_t at) {
    NEXT(pread64) ssize_t m = admit(fd, n); return m < 0 ? m : next(fd, b, (size_t)m, at);
}
ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags) {
    (void)fd, (void)v, (void)n, (void)at, (void)flags; errno = EOPNOTSUPP; return -1;
}
ssize_t preadv64v2(int fd, const struct iovec *v, int n, off_t at, int flags) {
    (void)fd, (void)v, (void)n, (void)at, (void)flags; errno = EOPNOTSUPP; return -1;
}
"""


def build(folder: Path) -> Path | None:
    """The library to be preloaded, or None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    (folder / "far.c").write_text(SOURCE)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", "far.so", "far.c", "-ldl"], check=True, cwd=folder
    )
    return folder / "far.so"
