/* ddf_file: one data file, open for reading, and the fastest way to read it.
 *
 * Data in the page cache is copied at once: small ranges from a mapping (a copy costs a tenth of a system call), larger
 * ones by a read that does not wait. Other data takes a waiting read. The mapping is accessed only where the page cache
 * was found to hold a whole window of it, and only on local file systems. Reads of a plan use a separate descriptor
 * there, without readahead of the system, and may bypass the page cache.
 * Thread safe; the reference count may change from any thread. */
#ifndef DDF_FILE_H
#define DDF_FILE_H

#include "ddf_sys.h"

typedef struct ddf_file ddf_file;

/* Open for reading. Starts with one reference. Returns 0 or -errno. */
int ddf_file_open(const char *path, ddf_file **out);

/* The same for an index file, of which ddf_file_read is used only: it is not mapped. */
int ddf_file_open_index(const char *path, ddf_file **out);

/* A remote data file of `size` bytes: it is never ready, never changes, and is read through a ddf_remote_queue only. */
int ddf_file_remote(uint64_t size, ddf_file **out);
int ddf_file_is_remote(const ddf_file *file);

void ddf_file_retain(ddf_file *file);
void ddf_file_release(ddf_file *file);

/* Bytes the file had when it was opened. */
uint64_t ddf_file_size(const ddf_file *file);

/* 0, or DDF_E_CHANGED if the size has changed: a mapped page after the new end must not be accessed. Without a
 * mapping, also 0 if the size cannot be determined: a read will fail. */
int ddf_file_check(const ddf_file *file, ddf_err *err);

/* 1 if the file is on a network mount, or on a file system of an unknown kind. */
int ddf_file_is_mounted(const ddf_file *file);

/* 1 if the system reads much ahead (2 MiB or more) on the file's local disk. */
int ddf_file_reads_ahead(ddf_file *file);

/* Open the file at its path again, for all its users, after its handle became stale. Returns 0, -errno,
 * or DDF_E_CHANGED with err->pos = the size of the other file that is there now; nothing is changed then. */
int ddf_file_reopen(ddf_file *file, ddf_err *err);

/* 1 if ddf_file_read_ready can find anything without waiting on this file system. */
int ddf_file_can_be_ready(const ddf_file *file);

/* `len` bytes at `offset` in place, if that is cheaper than a read. NULL before enough was read from there, and if the
 * page cache does not hold all of them. Call ddf_file_check before using the bytes, and use them at once. */
const uint8_t *ddf_file_view(ddf_file *file, size_t len, uint64_t offset);

/* 1 if a small read at `offset` is only a copy now. */
int ddf_file_is_populated(const ddf_file *file, uint64_t offset);

/* Maximum size of a copy from the mapping, if its pages are in the page tables. Such a copy is up to twice as fast as a
 * read, because it stays in the processor's cache. */
#define DDF_FILE_COPY_MAX ((size_t)256 << 10)

/* How a read of a plan reads from the disk. */
typedef enum ddf_access {
    DDF_SCATTERED, /* no readahead: only the planner knows what is read next */
    DDF_DENSE,     /* the bytes that follow are read next: readahead lets the system fill large pages */
    DDF_DIRECT,    /* bypass the page cache, if the file system supports that */
} ddf_access;

/* Copy the ready part of `len` bytes at `offset`, from the start of the range on, without waiting. Returns the number
 * of bytes, 0 to len. */
size_t ddf_file_read_ready(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset);

/* Read exactly `len` bytes at `offset`, waiting. Returns 0, -errno, or DDF_E_EOF; err->pos = position in the file. */
int ddf_file_read(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset, ddf_err *err);

/* The same for a read of a plan. With DDF_DIRECT, whole blocks of memory are written if `buffer` and `offset` are
 * congruent modulo DDF_DIRECT_BLOCK; otherwise it is the same as DDF_SCATTERED. */
int ddf_file_read_planned(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset, ddf_err *err);

/* As ddf_file_read, into three places one after the other. */
int ddf_file_read_parts(ddf_file *file, const ddf_room parts[3], uint64_t offset, ddf_err *err);

/* For callers that read with their own system calls: the descriptor, the descriptor for reads of a plan through the
 * page cache, and the status (and `err`) as above of a read of `len` bytes that returned `got` (bytes or -errno). */
int ddf_file_fd(const ddf_file *file);
int ddf_file_planned_fd(ddf_file *file, ddf_access access);
int ddf_file_read_status(int64_t got, uint64_t len, uint64_t offset, ddf_err *err);

#endif
