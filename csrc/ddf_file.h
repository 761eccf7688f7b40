/* ddf_file: one data file, open for reading, and the cheapest way to its bytes.
 *
 * What the page cache holds is copied at once: small stretches out of a mapping (a copy costs a tenth of a system
 * call), larger ones by a read that does not wait. The rest takes a waiting read. The mapping is touched only where the
 * page cache was seen to hold a whole window of it, and only on local file systems. Reads of a plan have a descriptor of
 * their own there, on which the system reads nothing ahead, and may go past the page cache.
 * Thread safe; the reference count may change from any thread. */
#ifndef DDF_FILE_H
#define DDF_FILE_H

#include "ddf_sys.h"

typedef struct ddf_file ddf_file;

/* Open for reading. Starts with one reference. Returns 0 or -errno. */
int ddf_file_open(const char *path, ddf_file **out);

/* A remote data file of `size` bytes: it is never ready, never changes, and is read through a ddf_remote_queue only. */
int ddf_file_remote(uint64_t size, ddf_file **out);
int ddf_file_is_remote(const ddf_file *file);

void ddf_file_retain(ddf_file *file);
void ddf_file_release(ddf_file *file);

/* Bytes the file had when it was opened. */
uint64_t ddf_file_size(const ddf_file *file);

/* 0, or DDF_E_CHANGED if the size is another now: a mapped page behind the new end must not be touched. Without a
 * mapping, 0 too if the size cannot be determined: a read will fail. */
int ddf_file_check(const ddf_file *file, ddf_err *err);

/* 1 if the file is on a network mount, or on a file system of an unknown kind. */
int ddf_file_is_mounted(const ddf_file *file);

/* 1 if the system reads much ahead (2 MiB or more) on the file's local disk. */
int ddf_file_reads_ahead(ddf_file *file);

/* Open the file at its path again, for all its users, after its handle became stale. Returns 0, -errno,
 * or DDF_E_CHANGED with err->pos = the size of the other file that is there by now; nothing is changed then. */
int ddf_file_reopen(ddf_file *file, ddf_err *err);

/* 1 if ddf_file_read_ready can find anything without waiting on this file system. */
int ddf_file_can_be_ready(const ddf_file *file);

/* `len` bytes at `offset` in place, where that is cheaper than a read: NULL until enough was read from there and the page
 * cache has it all. Call ddf_file_check before using them; the bytes are to be used at once. */
const uint8_t *ddf_file_view(ddf_file *file, size_t len, uint64_t offset);

/* 1 if a small read at `offset` is but a copy by now. */
int ddf_file_is_populated(const ddf_file *file, uint64_t offset);

/* Up to this much at a time is copied out of the mapping where its pages were entered, which is up to twice as fast as a
 * read: it stays in a processor's own cache. */
#define DDF_FILE_COPY_MAX ((size_t)256 << 10)

/* How a read of a plan gets at what is on disk. */
typedef enum ddf_access {
    DDF_SCATTERED, /* no readahead: only the planner knows what is read next */
    DDF_DENSE,     /* the bytes that follow are read next: readahead lets the system fill large pages */
    DDF_DIRECT,    /* past the page cache, where the file system does that */
} ddf_access;

/* Copy what needs no waiting of `len` bytes at `offset`, from the start of the range on. Returns how many, 0 to len. */
size_t ddf_file_read_ready(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset);

/* Read exactly `len` bytes at `offset`, waiting. Returns 0, -errno, or DDF_E_EOF; err->pos = position in the file. */
int ddf_file_read(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset, ddf_err *err);

/* The same for a read of a plan. With DDF_DIRECT, whole blocks of memory are written where `buffer` and `offset` are congruent
 * modulo DDF_DIRECT_BLOCK; where they are not, it is DDF_SCATTERED. */
int ddf_file_read_planned(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset, ddf_err *err);

/* As ddf_file_read, into three places one after the other. */
int ddf_file_read_parts(ddf_file *file, const ddf_room parts[3], uint64_t offset, ddf_err *err);

/* For callers that read with their own system calls: the descriptor, the descriptor for reads of a plan through the page
 * cache, and the status (and `err`) as above of a read of `len` bytes that returned `got` (bytes or -errno). */
int ddf_file_fd(const ddf_file *file);
int ddf_file_planned_fd(ddf_file *file, ddf_access access);
int ddf_file_read_status(int64_t got, uint64_t len, uint64_t offset, ddf_err *err);

#endif
