/* ddf_msgpack: tokens, checks and skips of msgpack messages. No objects, no allocation, thread safe.
 *
 * A token is one header of the wire format (https://github.com/msgpack/msgpack/blob/master/spec.md): a whole scalar,
 * a string with its bytes, or the opening of an array or a map whose items follow. Every length is checked against
 * the end of the buffer before it is used, so a token never reaches past `end`. */
#ifndef DDF_MSGPACK_H
#define DDF_MSGPACK_H

#include "ddf_common.h"

/* Arrays and maps inside one another; msgpack-python refuses deeper messages too. */
#define DDF_MAX_DEPTH 1024

typedef enum ddf_kind {
    DDF_NIL,
    DDF_BOOL,
    DDF_INT,  /* fits int64_t */
    DDF_UINT, /* above INT64_MAX */
    DDF_FLOAT,
    DDF_STR,
    DDF_BIN,
    DDF_EXT,
    DDF_ARRAY,
    DDF_MAP,
} ddf_kind;

typedef struct ddf_token {
    ddf_kind kind;
    int8_t ext_type;     /* DDF_EXT */
    uint32_t len;        /* bytes of a string, binary or ext; items of an array; pairs of a map */
    const uint8_t *data; /* payload of DDF_STR, DDF_BIN, DDF_EXT */
    union {
        int64_t i;  /* DDF_BOOL (0 or 1), DDF_INT */
        uint64_t u; /* DDF_UINT */
        double f;   /* DDF_FLOAT; a 32-bit float is exact in it */
    } value;
} ddf_token;

/* Read the token at `p` into `out`. Returns the first byte after it (after the payload, for strings, binaries and
 * ext; after the header, for arrays and maps), or NULL with `*status` set to DDF_E_TRUNCATED or DDF_E_RESERVED. */
const uint8_t *ddf_token_read(const uint8_t *p, const uint8_t *end, ddf_token *out, int *status);

/* Skip the whole value at `p`, nested ones included. Returns the first byte after it, or NULL with `err` (may be
 * NULL) saying why; err->pos counts from `base`. */
const uint8_t *ddf_msgpack_skip(const uint8_t *p, const uint8_t *end, const uint8_t *base, ddf_err *err);

/* Check that `[p, p + len)` is exactly one well-formed message. UTF-8 of strings is checked where `utf8` is true.
 * Returns 0 or DDF_E_*, err->pos counting from `p`. */
int ddf_msgpack_check(const uint8_t *p, size_t len, int utf8, ddf_err *err);

/* Offsets of consecutive messages in `[p, p + len)`: `offsets` gets the start of each, at most `room`.
 * Returns how many whole messages there are (counting goes on when `room` is used up), or DDF_E_* with err->item =
 * messages before the damage and err->pos its position. */
int64_t ddf_msgpack_split(const uint8_t *p, size_t len, uint64_t *offsets, size_t room, ddf_err *err);

/* 1 if `[p, p + len)` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms), else 0. */
int ddf_utf8_valid(const uint8_t *p, size_t len);

#endif
