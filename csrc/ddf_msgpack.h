/* ddf_msgpack: checks and skips of msgpack messages. No objects, no allocation, thread safe. */
#ifndef DDF_MSGPACK_H
#define DDF_MSGPACK_H

#include "ddf_common.h"
#include "ddf_token.h"

/* Maximum depth of nested arrays and maps; msgpack-python refuses deeper messages too. */
#define DDF_MAX_DEPTH 1024

/* Skip the whole value at `p`, nested ones included. Returns the first byte after it, or NULL with the reason in `err`
 * (may be NULL); err->pos counts from `base`. */
const uint8_t *ddf_msgpack_skip(const uint8_t *p, const uint8_t *end, const uint8_t *base, ddf_err *err);

/* As ddf_msgpack_skip, but check the UTF-8 of strings too. If the buffer ends before the message
 * (DDF_E_TRUNCATED), `*need` becomes the minimum size of the whole message in bytes. */
const uint8_t *ddf_msgpack_pass(const uint8_t *p, const uint8_t *end, uint64_t *need, ddf_err *err);

/* Check that `[p, p + len)` is exactly one well-formed message. UTF-8 of strings is checked if `utf8` is true.
 * Returns 0 or DDF_E_*, err->pos counting from `p`. */
int ddf_msgpack_check(const uint8_t *p, size_t len, int utf8, ddf_err *err);

/* Check that `n` samples, which are consecutive in `[p, p + len)` and of which sample i ends at `ends[i]`, are
 * each exactly one well-formed message. Returns 0 or DDF_E_* with err->item the sample and err->pos the byte in it;
 * DDF_E_SPAN if an end is smaller than the one before it, or the last one is not `len`. */
int ddf_msgpack_check_run(const uint8_t *p, size_t len, const uint64_t *ends, size_t n, int utf8, ddf_err *err);

/* Offsets of consecutive messages in `[p, p + len)`: `offsets` gets the start of each, at most `room`.
 * Returns the number of whole messages (counting continues when `room` is used up), or DDF_E_* with err->item =
 * messages before the damage and err->pos its position. */
int64_t ddf_msgpack_split(const uint8_t *p, size_t len, uint64_t *offsets, size_t room, ddf_err *err);

/* 1 if `[p, p + len)` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms), else 0. */
int ddf_utf8_valid(const uint8_t *p, size_t len);

#endif
