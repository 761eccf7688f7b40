#include "ddf_file.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ddf_sys.h"

/* Longer stretches are read: the kernel copies those as fast, and the mapping's pages stay out of this process. */
#define MAP_COPY_MAX ((size_t)16 << 10)

#define WINDOW ((uint64_t)2 << 20)

/* A window's state: WARM, or how many more requests pass before the page cache is asked again. */
#define WARM 255
#define ASK_AGAIN 64

struct ddf_file {
    int fd;
    uint64_t size;
    const uint8_t *map;        /* NULL: no mapping is used */
    atomic_uchar *windows;     /* one state a window, NULL without a mapping */
    atomic_int nowait;         /* reads that do not wait are supported */
    atomic_size_t references;
};

/* Failing to map costs speed only. */
static void map_if_local(ddf_file *file) {
    if (file->size == 0 || file->size > SIZE_MAX || !ddf_sys_is_local(file->fd)) {
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

int ddf_file_open(const char *path, ddf_file **out) {
    int fd = ddf_sys_open(path);
    if (fd < 0) {
        return fd;
    }
    int64_t size = ddf_sys_size(fd);
    ddf_file *file = size < 0 ? NULL : calloc(1, sizeof *file);
    if (file == NULL) {
        ddf_sys_close(fd);
        return size < 0 ? (int)size : -ENOMEM;
    }
    file->fd = fd;
    file->size = (uint64_t)size;
    atomic_init(&file->references, 1);
    atomic_init(&file->nowait, 1);
    map_if_local(file);
    *out = file;
    return DDF_OK;
}

void ddf_file_retain(ddf_file *file) { atomic_fetch_add(&file->references, 1); }

void ddf_file_release(ddf_file *file) {
    if (file == NULL || atomic_fetch_sub(&file->references, 1) != 1) {
        return;
    }
    if (file->map != NULL) {
        ddf_sys_unmap(file->map, (size_t)file->size);
        free((void *)file->windows);
    }
    ddf_sys_close(file->fd);
    free(file);
}

uint64_t ddf_file_size(const ddf_file *file) { return file->size; }

int ddf_file_check(const ddf_file *file, ddf_err *err) {
    int64_t size = ddf_sys_size(file->fd);
    if (size < 0) {
        return ddf_fail(err, (int)size, "the size of the data file cannot be read", 0, 0);
    }
    if ((uint64_t)size != file->size) {
        return ddf_fail(err, DDF_E_CHANGED, "the data file changed its size while it was open", 0, (uint64_t)size);
    }
    return DDF_OK;
}

int ddf_file_can_be_ready(const ddf_file *file) {
    return file->map != NULL || atomic_load_explicit(&file->nowait, memory_order_relaxed);
}

/* Ask the page cache about a window not known to be warm, and enter its pages if it is. */
static int warm_up(ddf_file *file, uint64_t window) {
    atomic_uchar *state = &file->windows[window];
    unsigned char left = atomic_load_explicit(state, memory_order_relaxed);
    if (left > 0 && left != WARM) {
        atomic_store_explicit(state, (unsigned char)(left - 1), memory_order_relaxed);
        return 0;
    }
    uint64_t start = window * WINDOW;
    size_t len = (size_t)(file->size - start < WINDOW ? file->size - start : WINDOW);
    int warm = ddf_sys_is_cached(file->fd, file->map, start, len) && ddf_sys_populate(file->map + start, len) == 0;
    atomic_store_explicit(state, warm ? WARM : ASK_AGAIN, memory_order_release);
    return warm;
}

static int is_warm(ddf_file *file, uint64_t offset, size_t len) {
    for (uint64_t w = offset / WINDOW; w <= (offset + len - 1) / WINDOW; w++) {
        if (atomic_load_explicit(&file->windows[w], memory_order_acquire) != WARM && !warm_up(file, w)) {
            return 0;
        }
    }
    return 1;
}

size_t ddf_file_read_ready(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset) {
    if (len == 0) {
        return 0;
    }
    int inside = offset < file->size && len <= file->size - offset;
    if (file->map != NULL && len <= MAP_COPY_MAX && inside && is_warm(file, offset, len)) {
        memcpy(buffer, file->map + offset, len);
        return len;
    }
    if (!atomic_load_explicit(&file->nowait, memory_order_relaxed)) {
        return 0;
    }
    int64_t got = ddf_sys_read_cached(file->fd, buffer, len, offset);
    if (got == -ENOTSUP) {
        atomic_store_explicit(&file->nowait, 0, memory_order_relaxed);
    }
    return got < 0 ? 0 : (size_t)got; /* other errors come again, and are told, when the rest is read */
}

int ddf_file_read(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset, ddf_err *err) {
    int64_t got = ddf_sys_read(file->fd, buffer, len, offset);
    if (got < 0) {
        return ddf_fail(err, (int)got, "the data file cannot be read", 0, offset);
    }
    if ((uint64_t)got < len) {
        return ddf_fail(err, DDF_E_EOF, "the data file ends inside a sample", 0, offset + (uint64_t)got);
    }
    return DDF_OK;
}
