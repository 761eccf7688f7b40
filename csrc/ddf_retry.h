/* ddf_retry: reads of a data file that are retried after transient errors.
 *
 * On a mounted file system, a server that restarts, an expired lease or a link that drops packets causes EIO, ESTALE,
 * EBADF, ETIMEDOUT or similar errors. Such a read is retried after a pause, which grows; if the handle is stale,
 * the file is opened again first, and refused if it was replaced. On a local disk EIO is permanent: the read fails at
 * once. Thread safe. */
#ifndef DDF_RETRY_H
#define DDF_RETRY_H

#include <stdatomic.h>

#include "ddf_file.h"

/* Attempts at one read, and the longest pause before the second one; each further pause is twice as long: 1.5 s. */
#define DDF_RETRY_ATTEMPTS 6
#define DDF_RETRY_PAUSE_MS 50

/* 1 if another attempt at a read with this status may succeed, on a network mount (`mounted`) or on a local disk. */
int ddf_retry_is_transient(int status, int mounted);

/* ms to wait before attempt `number` (the second is 1): between half of the longest pause and all of it, so that
 * reads that failed together are not retried together. */
int ddf_retry_pause(unsigned number, uint32_t chance);

/* As ddf_file_read, ddf_file_read_planned and ddf_file_read_parts, with further attempts, which end when `*stop` (may
 * be NULL) is set. Also DDF_E_CHANGED if the path names another file now, err->pos = its size. */
int ddf_retry_read(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset, const atomic_int *stop, ddf_err *err);
int ddf_retry_read_planned(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset,
                           const atomic_int *stop, ddf_err *err);
int ddf_retry_read_parts(ddf_file *file, const ddf_room parts[3], uint64_t offset, ddf_err *err);

#endif
