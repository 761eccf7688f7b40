/* ddf_sys: every system call the kernels make, EINTR and short reads handled.
 *
 * Results are 0 or a count, or -errno. All calls are thread safe. If a call exists only on Linux, the result
 * on other systems is -ENOTSUP (or "no"), and the caller uses a slower way. */
#ifndef DDF_SYS_H
#define DDF_SYS_H

#include "ddf_common.h"

/* Anonymous, zeroed, page-aligned memory of `size` bytes; huge pages are requested from 2 MiB on. NULL: no memory. */
void *ddf_sys_memory(size_t size);
void ddf_sys_memory_free(void *memory, size_t size);

/* The same without huge pages: memory of which only the pages that are written to are used. */
void *ddf_sys_reserve(size_t size);

/* Request huge pages for memory that is about to be written as a whole, from 2 MiB on. */
void ddf_sys_prefer_huge(void *memory, size_t size);

/* Make malloc keep freed blocks of up to `size` bytes for reuse, as it does in any program that has freed a block of
 * that size before. Otherwise glibc returns the memory of each large sample to the system, and gets fresh pages for the
 * next. */
void ddf_sys_reuse_freed(size_t size);

/* Open for reading, close-on-exec, without waiting for the other end of a pipe. Returns the descriptor. */
int ddf_sys_open(const char *path);
void ddf_sys_close(int fd);

/* Open the file of a descriptor once more, for scattered reads: the system does not read ahead.
 * Returns the descriptor, or -errno; -ENOTSUP if that is not supported. */
int ddf_sys_open_scattered(int fd);

/* The same for reads that bypass the page cache, which begin and end at multiples of DDF_DIRECT_BLOCK in the file, in
 * memory aligned to the same. */
#define DDF_DIRECT_BLOCK ((size_t)4096)
int ddf_sys_open_direct(int fd);

/* Make the descriptor `fd` refer to the file of `other`, at once for all threads, and close `other`. Reads in progress
 * continue on the old file. Returns 0, or -errno with both unchanged. */
int ddf_sys_replace(int fd, int other);

/* Size in bytes of a regular file; -EISDIR or -EINVAL for anything else. */
int64_t ddf_sys_size(int fd);

/* The same for a file that is known to be regular, in half the time. */
int64_t ddf_sys_end(int fd);

/* Distinguishes a file from one that replaces it: writing or replacing the file changes at least one of the two. */
typedef struct ddf_stamp {
    uint64_t size;
    int64_t modified; /* ns */
} ddf_stamp;

/* The stamp of an open file, and that of the file which a path names. Returns 0 or -errno. */
int ddf_sys_stamp(int fd, ddf_stamp *out);
int ddf_sys_stamp_of(const char *path, ddf_stamp *out);

/* Descriptors this process may have open. */
size_t ddf_sys_descriptors(void);

/* Read `len` bytes at `offset`, waiting for storage. Returns the number of bytes, less than `len` only at the end of
 * the file. */
int64_t ddf_sys_read(int fd, void *buffer, size_t len, uint64_t offset);

/* The same with one call, which may return fewer bytes anywhere. */
int64_t ddf_sys_read_once(int fd, void *buffer, size_t len, uint64_t offset);

/* Memory to be written to. */
typedef struct ddf_room {
    void *data;
    size_t size;
} ddf_room;

/* As ddf_sys_read, into three places. */
int64_t ddf_sys_read_parts(int fd, const ddf_room parts[3], uint64_t offset);

/* Read the first part of `len` bytes at `offset` that the page cache holds, without waiting. Returns the number of
 * bytes, which may be 0, or -ENOTSUP if the file system does not support that. */
int64_t ddf_sys_read_cached(int fd, void *buffer, size_t len, uint64_t offset);

/* 1 if the file is on a local disk or in memory, where accessing a mapped page in the page cache cannot hang. */
int ddf_sys_is_local(int fd);

/* How many bytes the system reads ahead of sequential reads on the device of the file; 0 if unknown. */
uint64_t ddf_sys_readahead(int fd);

/* Map `size` bytes of the file read-only and shared. NULL: not possible. */
const uint8_t *ddf_sys_map(int fd, size_t size);
void ddf_sys_unmap(const uint8_t *map, size_t size);

/* 1 if the page cache holds all of `[offset, offset + len)` of the file mapped at `map`, both multiples of the page
 * size; 0 if not, or if that is unknown. */
int ddf_sys_is_cached(int fd, const uint8_t *map, uint64_t offset, size_t len);

/* Enter the pages of `[at, at + len)` of a mapping into the page tables, so that accessing them causes no page fault.
 * Unlike an access, a failing disk or a truncated file causes an error here instead of a signal. */
int ddf_sys_populate(const uint8_t *at, size_t len);

/* A descriptor that becomes readable when raised and stays readable until cleared: fds[0] is watched, fds[1] raised. */
int ddf_sys_notifier_open(int fds[2]);
void ddf_sys_notifier_close(const int fds[2]);
void ddf_sys_notifier_raise(const int fds[2]);
void ddf_sys_notifier_clear(const int fds[2]);

/* Request that the system begins to write `[offset, offset + len)` of a file to the disk, where that is supported. Does
 * not wait and guarantees nothing: only fsync does. */
void ddf_sys_start_writeback(int fd, uint64_t offset, uint64_t len);

/* io_uring's three calls and the mapping of its memory (NULL: not possible; released by ddf_sys_memory_free), which a
 * forked child does not inherit. `params` is a struct io_uring_params. -ENOSYS without io_uring. */
int ddf_sys_uring_setup(uint32_t entries, void *params);
int ddf_sys_uring_enter(int fd, uint32_t submit, uint32_t least, uint32_t flags);
int ddf_sys_uring_register(int fd, uint32_t opcode);
void *ddf_sys_uring_map(int fd, size_t size, uint64_t what);

void ddf_sys_sleep_ms(int ms);

/* Monotonic time in ns. */
uint64_t ddf_sys_now(void);

/* Processors this process may run on, at least 1. */
size_t ddf_sys_processors(void);

/* Number of this process; a forked child has another one. */
int64_t ddf_sys_process(void);

#endif
