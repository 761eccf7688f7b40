#include "ddf_file.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WINDOW ((uint64_t)256 << 10)

/* Entering a window's pages costs about 22 us; a small read costs 0.4 us more than a copy out of entered pages, and each
 * 3 KiB another 0.1 us. So a window is entered once the reads in it have cost as much: at worst, that doubles the cost.
 * A window's state is what its reads have cost so far, in 0.1 us, or WARM. */
#define WARM 255
#define ENTER_COST 220
#define READ_COST(len) (4 + (len) / 3072)

/* With this much or more, the system's readahead keeps a disk busy, in large pages, as long as few threads read in order.
 * With less (128 KiB is usual), many reads at a time are faster. */
#define MUCH_AHEAD ((uint64_t)2 << 20)

/* Values of a second descriptor that is not open. */
#define UNOPENED (-1)
#define NONE (-2)

#define UNASKED (-1)

struct ddf_file {
    int fd;            /* negative: remote */
    atomic_int scattered; /* UNOPENED until something has to be waited for */
    atomic_int direct;    /* UNOPENED until it is wanted */
    uint64_t size;
    ddf_stamp stamp; /* when it was opened, as is: */
    char *path;
    int mounted;
    atomic_int reads_ahead; /* UNASKED until it is used */
    const uint8_t *map;        /* NULL: no mapping is used */
    atomic_uchar *windows;     /* one state a window, NULL without a mapping */
    atomic_int nowait;         /* reads that do not wait are supported */
    atomic_size_t references;
};

/* Failing to map costs speed only. */
static void map_if_local(ddf_file *file) {
    if (file->size == 0 || file->size > SIZE_MAX || file->mounted) {
        return;
    }
    file->windows = calloc((size_t)((file->size + WINDOW - 1) / WINDOW), sizeof *file->windows);
    if (file->windows == NULL) {
        return;
    }
    file->map = ddf_sys_map(file->fd, (size_t)file->size);
    if (file->map == NULL) {
        free((void *)file->windows);
        file->windows = NULL;
    }
}

static int open_file(const char *path, int is_data, ddf_file **out) {
    int fd = ddf_sys_open(path);
    if (fd < 0) {
        return fd;
    }
    int64_t size = ddf_sys_size(fd);
    ddf_file *file = size < 0 ? NULL : calloc(1, sizeof *file);
    size_t length = strlen(path) + 1;
    char *copy = file == NULL ? NULL : malloc(length);
    int status = size < 0 ? (int)size : copy == NULL ? -ENOMEM : ddf_sys_stamp(fd, &file->stamp);
    if (status < 0) {
        ddf_sys_close(fd);
        free(copy);
        free(file);
        return status;
    }
    file->fd = fd;
    atomic_init(&file->scattered, UNOPENED);
    atomic_init(&file->direct, UNOPENED);
    atomic_init(&file->reads_ahead, UNASKED);
    file->size = (uint64_t)size;
    file->path = memcpy(copy, path, length);
    atomic_init(&file->references, 1);
    atomic_init(&file->nowait, 1);
    file->mounted = !ddf_sys_is_local(fd);
    if (is_data) {
        map_if_local(file);
    }
    *out = file;
    return DDF_OK;
}

int ddf_file_open(const char *path, ddf_file **out) { return open_file(path, 1, out); }
int ddf_file_open_index(const char *path, ddf_file **out) { return open_file(path, 0, out); }

int ddf_file_remote(uint64_t size, ddf_file **out) {
    ddf_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return -ENOMEM;
    }
    file->fd = -1;
    atomic_init(&file->scattered, NONE);
    atomic_init(&file->direct, NONE);
    atomic_init(&file->reads_ahead, 0);
    file->size = size;
    atomic_init(&file->references, 1);
    atomic_init(&file->nowait, 0);
    *out = file;
    return DDF_OK;
}

int ddf_file_is_remote(const ddf_file *file) { return file->fd < 0; }

void ddf_file_retain(ddf_file *file) { atomic_fetch_add(&file->references, 1); }

void ddf_file_release(ddf_file *file) {
    if (file == NULL || atomic_fetch_sub(&file->references, 1) != 1) {
        return;
    }
    if (file->map != NULL) {
        ddf_sys_unmap(file->map, (size_t)file->size);
        free((void *)file->windows);
    }
    const int fds[] = {file->fd, atomic_load(&file->scattered), atomic_load(&file->direct)};
    for (size_t i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            ddf_sys_close(fds[i]);
        }
    }
    free(file->path);
    free(file);
}

uint64_t ddf_file_size(const ddf_file *file) { return file->size; }

int ddf_file_check(const ddf_file *file, ddf_err *err) {
    if (DDF_UNLIKELY(ddf_file_is_remote(file))) {
        return DDF_OK; /* its reader finds out */
    }
    int64_t size = ddf_sys_end(file->fd);
    if (size < 0 && file->map == NULL) {
        return DDF_OK;
    }
    if (size < 0) {
        return ddf_fail(err, (int)size, "the size of the data file cannot be read", 0, 0);
    }
    if ((uint64_t)size != file->size) {
        return ddf_fail(err, DDF_E_CHANGED, "the size of the data file changed while it was open", 0, (uint64_t)size);
    }
    return DDF_OK;
}

int ddf_file_is_mounted(const ddf_file *file) { return file->mounted; }

int ddf_file_reads_ahead(ddf_file *file) {
    int known = atomic_load_explicit(&file->reads_ahead, memory_order_relaxed);
    if (known == UNASKED) {
        known = !ddf_file_is_remote(file) && !file->mounted && ddf_sys_readahead(file->fd) >= MUCH_AHEAD;
        atomic_store_explicit(&file->reads_ahead, known, memory_order_relaxed);
    }
    return known;
}

/* Make a second descriptor refer to the same file as the first one again. */
static void follow(const ddf_file *file, atomic_int *slot, int (*open_again)(int fd)) {
    int fd = atomic_load(slot), again = fd < 0 ? NONE : open_again(file->fd);
    if (again >= 0 && ddf_sys_replace(fd, again) < 0) {
        ddf_sys_close(again);
    }
}

int ddf_file_reopen(ddf_file *file, ddf_err *err) {
    int fd = ddf_sys_open(file->path);
    ddf_stamp stamp;
    int status = fd < 0 ? fd : ddf_sys_stamp(fd, &stamp);
    if (status >= 0 && (stamp.size != file->stamp.size || stamp.modified != file->stamp.modified)) {
        status = ddf_fail(err, DDF_E_CHANGED, "the data file was replaced while it was open", 0, stamp.size);
    }
    if (status >= 0) {
        status = ddf_sys_replace(file->fd, fd);
    }
    if (status < 0 && fd >= 0) {
        ddf_sys_close(fd);
    }
    if (status >= 0) {
        follow(file, &file->scattered, ddf_sys_open_scattered);
        follow(file, &file->direct, ddf_sys_open_direct);
    }
    return status < 0 ? status : DDF_OK;
}

int ddf_file_can_be_ready(const ddf_file *file) {
    return file->map != NULL || atomic_load_explicit(&file->nowait, memory_order_relaxed);
}

/* Note a read of `len` bytes, and enter the window's pages if that has come to pay and the page cache has them all. */
static int warm_up(ddf_file *file, uint64_t window, size_t len) {
    atomic_uchar *state = &file->windows[window];
    size_t cost = atomic_load_explicit(state, memory_order_relaxed) + READ_COST(len);
    if (cost < ENTER_COST) {
        atomic_store_explicit(state, (unsigned char)cost, memory_order_relaxed);
        return 0;
    }
    uint64_t start = window * WINDOW;
    size_t size = (size_t)(file->size - start < WINDOW ? file->size - start : WINDOW);
    int warm = ddf_sys_is_cached(file->fd, file->map, start, size) && ddf_sys_populate(file->map + start, size) == 0;
    atomic_store_explicit(state, warm ? WARM : 0, memory_order_release);
    return warm;
}

const uint8_t *ddf_file_view(ddf_file *file, size_t len, uint64_t offset) {
    if (file->map == NULL || len == 0 || offset > file->size || len > file->size - offset) {
        return NULL;
    }
    int warm = 1;
    for (uint64_t w = offset / WINDOW; w <= (offset + len - 1) / WINDOW; w++) {
        warm &= atomic_load_explicit(&file->windows[w], memory_order_acquire) == WARM || warm_up(file, w, len);
    }
    return warm ? file->map + offset : NULL;
}

int ddf_file_is_populated(const ddf_file *file, uint64_t offset) {
    return file->map != NULL && offset < file->size &&
           atomic_load_explicit(&file->windows[offset / WINDOW], memory_order_relaxed) == WARM;
}

/* The descriptor in `slot`, or a negative number. The first user opens it. A mounted file has only one: how its
 * system reads ahead, and what it does past its cache, differs from one to the next. */
static int beside(const ddf_file *file, atomic_int *slot, int (*open_again)(int fd)) {
    int fd = atomic_load(slot);
    if (DDF_LIKELY(fd != UNOPENED)) {
        return fd;
    }
    int opened = file->mounted ? NONE : open_again(file->fd);
    opened = opened < 0 ? NONE : opened;
    if (atomic_compare_exchange_strong(slot, &fd, opened)) {
        return opened;
    }
    if (opened >= 0) {
        ddf_sys_close(opened);
    }
    return fd;
}

int ddf_file_planned_fd(ddf_file *file, ddf_access access) {
    int fd = access == DDF_DENSE ? NONE : beside(file, &file->scattered, ddf_sys_open_scattered);
    return fd < 0 ? file->fd : fd;
}

size_t ddf_file_read_ready(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset) {
    const uint8_t *view = len <= DDF_FILE_COPY_MAX ? ddf_file_view(file, len, offset) : NULL;
    if (view != NULL) {
        memcpy(buffer, view, len);
        return len;
    }
    if (len == 0) {
        return 0;
    }
    if (!atomic_load_explicit(&file->nowait, memory_order_relaxed)) {
        return 0;
    }
    int scattered = access == DDF_DENSE ? NONE : atomic_load(&file->scattered);
    int64_t got = ddf_sys_read_cached(scattered < 0 ? file->fd : scattered, buffer, len, offset);
    if (got == -ENOTSUP) {
        atomic_store_explicit(&file->nowait, 0, memory_order_relaxed);
    } else if (got >= 0 && (size_t)got < len && scattered == UNOPENED) {
        (void)ddf_file_planned_fd(file, access); /* the rest is on disk, and so may be other ranges */
    }
    return got < 0 ? 0 : (size_t)got; /* other errors are reported when the rest is read */
}

int ddf_file_fd(const ddf_file *file) { return file->fd; }

int ddf_file_read_status(int64_t got, uint64_t len, uint64_t offset, ddf_err *err) {
    if (got < 0) {
        return ddf_fail(err, (int)got, "the data file cannot be read", 0, offset);
    }
    if ((uint64_t)got < len) {
        return ddf_fail(err, DDF_E_EOF, "the data file ends inside a sample", 0, offset + (uint64_t)got);
    }
    return DDF_OK;
}

static int fail_remote(uint64_t offset, ddf_err *err) {
    return ddf_fail(err, -ENOTSUP, "a remote data file can be read only by the reader of a remote queue", 0, offset);
}

int ddf_file_read(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset, ddf_err *err) {
    if (DDF_UNLIKELY(ddf_file_is_remote(file))) {
        return fail_remote(offset, err);
    }
    return ddf_file_read_status(ddf_sys_read(file->fd, buffer, len, offset), len, offset, err);
}

/* Read the whole blocks around `[offset, offset + len)`. Returns `len`, or -errno; -EINVAL if the file gave less. */
static int64_t read_direct(int fd, uint8_t *buffer, size_t len, uint64_t offset) {
    size_t before = (size_t)(offset % DDF_DIRECT_BLOCK), past = (before + len) % DDF_DIRECT_BLOCK;
    size_t whole = before + len + (past == 0 ? 0 : DDF_DIRECT_BLOCK - past);
    int64_t got = ddf_sys_read_once(fd, buffer - before, whole, offset - before);
    return got < 0 ? got : (uint64_t)got < before + len ? -EINVAL : (int64_t)len;
}

int ddf_file_read_planned(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset, ddf_err *err) {
    if (DDF_UNLIKELY(ddf_file_is_remote(file))) {
        return fail_remote(offset, err);
    }
    int fd = access == DDF_DIRECT && ((uintptr_t)buffer - offset) % DDF_DIRECT_BLOCK == 0
                 ? beside(file, &file->direct, ddf_sys_open_direct)
                 : NONE;
    int64_t got = fd < 0 ? -EINVAL : read_direct(fd, buffer, len, offset);
    if (got == -EINVAL) { /* what cannot be read directly may be read through the page cache */
        got = ddf_sys_read(ddf_file_planned_fd(file, access), buffer, len, offset);
    }
    return ddf_file_read_status(got, len, offset, err);
}

int ddf_file_read_parts(ddf_file *file, const ddf_room parts[3], uint64_t offset, ddf_err *err) {
    if (DDF_UNLIKELY(ddf_file_is_remote(file))) {
        return fail_remote(offset, err);
    }
    uint64_t len = (uint64_t)parts[0].size + parts[1].size + parts[2].size;
    return ddf_file_read_status(ddf_sys_read_parts(file->fd, parts, offset), len, offset, err);
}
