/* ddf_content: the content of an index file in memory, read window by window when it is first used.
 *
 * Nothing is mapped: a file that is truncated while it is open, or storage that fails, causes an error here and no
 * signal. Memory is used for the windows that were read only. On network mounts windows are larger, and reads are
 * retried as those of the data file. Thread safe; the reference count may change from any thread; a forked child may use
 * the content of its parent. */
#ifndef DDF_CONTENT_H
#define DDF_CONTENT_H

#include "ddf_common.h"

typedef struct ddf_content ddf_content;

/* Open a regular file. Starts with one reference. Returns 0 or -errno. */
int ddf_content_open(const char *path, ddf_content **out);

void ddf_content_retain(ddf_content *content);
void ddf_content_release(ddf_content *content); /* NULL is ignored */

/* Bytes the file had when it was opened. */
uint64_t ddf_content_size(const ddf_content *content);

/* Where the content is. Only bytes that are held may be read. */
const uint8_t *ddf_content_memory(const ddf_content *content);

/* 1 if everything is held: no more reads are needed. */
int ddf_content_is_whole(const ddf_content *content);

/* 1 if ddf_content_hold may have to wait for a network. */
int ddf_content_may_wait(const ddf_content *content);

/* Read what is missing of `len` bytes at `at`. They must be within the file. Returns 0, -errno, or DDF_E_CHANGED if
 * the file was truncated or replaced since it was opened. */
int ddf_content_hold(ddf_content *content, uint64_t at, uint64_t len, ddf_err *err);

#endif
