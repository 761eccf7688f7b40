#include "ddf_content.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ddf_retry.h"

/* Bytes of a window, as a shift. Fresh memory of the system costs more than the read, so a local window is one page of it;
 * over a network a round trip costs as much as 1 MiB. */
#define SHIFT_LOCAL 12
#define SHIFT_MOUNTED 20

/* Windows of one read have up to this many bytes. */
#define READ_MAX ((size_t)1 << 20)

/* States of a window. A positive state is the process whose thread reads it: in a forked child, that is no thread. */
#define MISSING 0
#define HELD (-1)

struct ddf_content {
    atomic_size_t references;
    ddf_file *file;
    uint8_t *memory; /* NULL for an empty file */
    uint64_t size;
    unsigned shift;
    atomic_size_t missing; /* windows */
    _Atomic int64_t *windows;
};

static size_t windows_of(const ddf_content *content) {
    uint64_t last = ((uint64_t)1 << content->shift) - 1;
    return (size_t)((content->size + last) >> content->shift);
}

static int open_memory(ddf_content *content) {
    size_t count = windows_of(content);
    if (content->size > SIZE_MAX) {
        return -EFBIG;
    }
    if (count == 0) {
        return DDF_OK;
    }
    content->windows = calloc(count, sizeof *content->windows);
    content->memory = content->windows == NULL ? NULL : ddf_sys_reserve((size_t)content->size);
    atomic_init(&content->missing, count);
    return content->memory == NULL ? -ENOMEM : DDF_OK;
}

int ddf_content_open(const char *path, ddf_content **out) {
    ddf_content *content = calloc(1, sizeof *content);
    int status = content == NULL ? -ENOMEM : ddf_file_open_index(path, &content->file);
    if (status < 0) {
        free(content);
        return status;
    }
    atomic_init(&content->references, 1);
    atomic_init(&content->missing, 0);
    content->size = ddf_file_size(content->file);
    content->shift = ddf_file_is_mounted(content->file) ? SHIFT_MOUNTED : SHIFT_LOCAL;
    status = open_memory(content);
    if (status < 0) {
        ddf_content_release(content);
        return status;
    }
    *out = content;
    return DDF_OK;
}

void ddf_content_retain(ddf_content *content) { atomic_fetch_add(&content->references, 1); }

void ddf_content_release(ddf_content *content) {
    if (content == NULL || atomic_fetch_sub(&content->references, 1) != 1) {
        return;
    }
    if (content->memory != NULL) {
        ddf_sys_memory_free(content->memory, (size_t)content->size);
    }
    free((void *)content->windows);
    ddf_file_release(content->file);
    free(content);
}

uint64_t ddf_content_size(const ddf_content *content) { return content->size; }

const uint8_t *ddf_content_memory(const ddf_content *content) { return content->memory; }

int ddf_content_is_whole(const ddf_content *content) {
    return atomic_load_explicit(&content->missing, memory_order_acquire) == 0;
}

int ddf_content_may_wait(const ddf_content *content) {
    return ddf_file_is_mounted(content->file) && !ddf_content_is_whole(content);
}

/* Become the thread that reads a window. Returns 0 if it is held already. */
static int claim(_Atomic int64_t *window) {
    int64_t self = ddf_sys_process(), state = atomic_load_explicit(window, memory_order_acquire);
    while (state != HELD) {
        if (state == self) { /* another thread reads it */
            ddf_sys_sleep_ms(1);
            state = atomic_load_explicit(window, memory_order_acquire);
        } else if (atomic_compare_exchange_strong(window, &state, self)) {
            return 1;
        }
    }
    return 0;
}

/* The number of windows from `first` up to `last` that this thread is to read at once; 0 if the first is held already. */
static size_t claim_run(ddf_content *content, size_t first, size_t last) {
    size_t count = (size_t)claim(&content->windows[first]);
    while (count > 0 && first + count <= last && count < READ_MAX >> content->shift) {
        int64_t missing = MISSING;
        if (!atomic_compare_exchange_strong(&content->windows[first + count], &missing, ddf_sys_process())) {
            break;
        }
        count++;
    }
    return count;
}

static int read_windows(ddf_content *content, size_t first, size_t last, ddf_err *err) {
    size_t count = claim_run(content, first, last);
    if (count == 0) {
        return DDF_OK;
    }
    uint64_t start = (uint64_t)first << content->shift, size = (uint64_t)count << content->shift;
    size = size < content->size - start ? size : content->size - start;
    int status = ddf_retry_read(content->file, content->memory + start, (size_t)size, start, NULL, err);
    for (size_t w = first; w < first + count; w++) {
        atomic_store_explicit(&content->windows[w], status < 0 ? MISSING : HELD, memory_order_release);
    }
    if (status < 0) {
        return status == DDF_E_EOF ? DDF_E_CHANGED : status;
    }
    atomic_fetch_sub_explicit(&content->missing, count, memory_order_release);
    return DDF_OK;
}

int ddf_content_hold(ddf_content *content, uint64_t at, uint64_t len, ddf_err *err) {
    if (len == 0 || ddf_content_is_whole(content)) {
        return DDF_OK;
    }
    if (len == content->size) {
        ddf_sys_prefer_huge(content->memory, (size_t)len);
    }
    size_t last = (size_t)((at + len - 1) >> content->shift);
    for (size_t w = (size_t)(at >> content->shift); w <= last; w++) {
        if (DDF_LIKELY(atomic_load_explicit(&content->windows[w], memory_order_acquire) == HELD)) {
            continue;
        }
        int status = read_windows(content, w, last, err);
        if (status < 0) {
            const char *msg = status == DDF_E_CHANGED ? "an index file was truncated or replaced while it was open"
                                                      : "an index file cannot be read";
            return ddf_fail(err, status, msg, 0, at);
        }
    }
    return DDF_OK;
}
