/* ddf_sys: every system call the kernels make, EINTR and short reads handled.
 *
 * Results are 0 or a count, or -errno. All calls are thread safe. Linux first; where a call exists only there, other
 * systems answer -ENOTSUP (or "no"), and the caller has a slower way. */
#ifndef DDF_SYS_H
#define DDF_SYS_H

#include "ddf_common.h"

/* Anonymous, zeroed, page-aligned memory of `size` bytes; huge pages are requested from 2 MiB on. NULL: no memory. */
void *ddf_sys_memory(size_t size);
void ddf_sys_memory_free(void *memory, size_t size);

/* Have malloc keep freed memory of up to `size` bytes a block for reuse, as it does in any program that has once freed a
 * block of that size. Otherwise glibc gives the memory of each large sample back, and takes fresh pages for the next. */
void ddf_sys_reuse_freed(size_t size);

/* Open for reading, close-on-exec. Returns the descriptor. */
int ddf_sys_open(const char *path);
void ddf_sys_close(int fd);

/* Open the file of a descriptor once more, for scattered reads: the system does not read ahead.
 * Returns the descriptor, or -errno; -ENOTSUP where there is no such thing. */
int ddf_sys_open_scattered(int fd);

/* The same for reads past the page cache, which begin and end at multiples of DDF_DIRECT_BLOCK in the file, in memory
 * aligned to the same. */
#define DDF_DIRECT_BLOCK ((size_t)4096)
int ddf_sys_open_direct(int fd);

/* Have the descriptor `fd` stand for what `other` stands for, at once for all threads, and close `other`. Reads that
 * are under way end as they began. Returns 0 or -errno, with both as they were. */
int ddf_sys_replace(int fd, int other);

/* Size in bytes of a regular file; -EISDIR or -EINVAL for what is none. */
int64_t ddf_sys_size(int fd);

/* The same of a file known to be regular, for half the price. */
int64_t ddf_sys_end(int fd);

/* Distinguishes a file from one that replaces it: writing or replacing the file changes one of both. */
typedef struct ddf_stamp {
    uint64_t size;
    int64_t modified; /* ns */
} ddf_stamp;

/* The stamp of an open file, and that of the file which a path names. Returns 0 or -errno. */
int ddf_sys_stamp(int fd, ddf_stamp *out);
int ddf_sys_stamp_of(const char *path, ddf_stamp *out);

/* Descriptors this process may have open. */
size_t ddf_sys_descriptors(void);

/* Read `len` bytes at `offset`, waiting for storage. Returns how many there were: fewer than `len` at the end only. */
int64_t ddf_sys_read(int fd, void *buffer, size_t len, uint64_t offset);

/* The same with one call, which may give fewer anywhere. */
int64_t ddf_sys_read_once(int fd, void *buffer, size_t len, uint64_t offset);

/* Memory to be written to. */
typedef struct ddf_room {
    void *data;
    size_t size;
} ddf_room;

/* As ddf_sys_read, into three places. */
int64_t ddf_sys_read_parts(int fd, const ddf_room parts[3], uint64_t offset);

/* Read what the page cache holds of `len` bytes at `offset` from its start on, without waiting. Returns how many bytes
 * that was, 0 included, or -ENOTSUP where the file system does not support that. */
int64_t ddf_sys_read_cached(int fd, void *buffer, size_t len, uint64_t offset);

/* 1 if the file is on a local disk or in memory, where touching a mapped page in the page cache cannot hang. */
int ddf_sys_is_local(int fd);

/* How many bytes the system reads ahead of sequential reads on the device of the file; 0 if unknown. */
uint64_t ddf_sys_readahead(int fd);

/* Map `size` bytes of the file read-only and shared. NULL: not possible. */
const uint8_t *ddf_sys_map(int fd, size_t size);
void ddf_sys_unmap(const uint8_t *map, size_t size);

/* 1 if the page cache holds all of `[offset, offset + len)` of the file mapped at `map`, both multiples of the page
 * size; 0 if not, or if the system does not say. */
int ddf_sys_is_cached(int fd, const uint8_t *map, uint64_t offset, size_t len);

/* Enter the pages of `[at, at + len)` of a mapping into the page tables, so that touching them faults no more. Unlike
 * touching, a failing disk or a file cut short gives an error here and no signal. */
int ddf_sys_populate(const uint8_t *at, size_t len);

/* A descriptor that turns readable when raised and stays so until cleared: fds[0] is watched, fds[1] raised. */
int ddf_sys_notifier_open(int fds[2]);
void ddf_sys_notifier_close(const int fds[2]);
void ddf_sys_notifier_raise(const int fds[2]);
void ddf_sys_notifier_clear(const int fds[2]);

/* Request that the system begins to write `[offset, offset + len)` of a file to the disk, where that is supported. Does
 * not wait and guarantees nothing: only fsync does. */
void ddf_sys_start_writeback(int fd, uint64_t offset, uint64_t len);

/* io_uring's three calls and the mapping of its memory (NULL: not possible; given back by ddf_sys_memory_free), which a
 * forked child does not get. `params` is a struct io_uring_params. -ENOSYS where there is no io_uring. */
int ddf_sys_uring_setup(uint32_t entries, void *params);
int ddf_sys_uring_enter(int fd, uint32_t submit, uint32_t least, uint32_t flags);
int ddf_sys_uring_register(int fd, uint32_t opcode);
void *ddf_sys_uring_map(int fd, size_t size, uint64_t what);

void ddf_sys_sleep_ms(int ms);

/* ns since some moment, never going back. */
uint64_t ddf_sys_now(void);

/* Processors this process may run on, at least 1. */
size_t ddf_sys_processors(void);

/* Number of this process: another one in a forked child. */
int64_t ddf_sys_process(void);

#endif
