/* ddf_token: the smallest parts of a msgpack message. No allocation, thread safe.
 *
 * A token is one header of the msgpack format (https://github.com/msgpack/msgpack/blob/master/spec.md): a whole scalar,
 * a string with its bytes, or the opening of an array or a map whose items follow. Every length is checked against
 * the end of the buffer before it is used, so a token never reaches past `end`.
 *
 * The reader is inline, so that the compiler can merge it with the caller's code for each kind: this makes scans twice
 * as fast. */
#ifndef DDF_TOKEN_H
#define DDF_TOKEN_H

#include "ddf_common.h"

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

/* --- How ddf_token_read works; not for use by others --- */

/* Payload of `len` bytes at `p`; the only place where a length from the file is added to a pointer. */
static inline const uint8_t *ddf_token_take(const uint8_t *p, const uint8_t *end, uint32_t len, ddf_token *out,
                                            int *status) {
    out->len = len;
    if (DDF_UNLIKELY((size_t)(end - p) < len)) {
        *status = DDF_E_TRUNCATED;
        return NULL;
    }
    out->data = p;
    return p + len;
}

static inline const uint8_t *ddf_token_ext(const uint8_t *p, const uint8_t *end, uint32_t len, ddf_token *out,
                                           int *status) {
    out->kind = DDF_EXT;
    out->ext_type = (int8_t)*p;
    return ddf_token_take(p + 1, end, len, out, status);
}

static inline const uint8_t *ddf_token_int(const uint8_t *p, int64_t v, ddf_token *out) {
    out->kind = DDF_INT;
    out->value.i = v;
    return p;
}

static inline const uint8_t *ddf_token_len(const uint8_t *p, ddf_kind kind, uint32_t len, ddf_token *out) {
    out->kind = kind;
    out->len = len;
    return p;
}

static inline const uint8_t *ddf_token_uint(const uint8_t *p, uint64_t v, ddf_token *out) {
    if (v <= INT64_MAX) {
        return ddf_token_int(p, (int64_t)v, out);
    }
    out->kind = DDF_UINT;
    out->value.u = v;
    return p;
}

static inline double ddf_load_float32(const uint8_t *p) {
    uint32_t bits = ddf_load32(p);
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static inline double ddf_load_float64(const uint8_t *p) {
    uint64_t bits = ddf_load64(p);
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Bytes of a header after its first one, indexed by first byte - 0xc0: lengths, numbers and ext types. */
static const uint8_t DDF_TOKEN_HEADER[32] = {
    0, 0, 0, 0,             /* nil, reserved, false, true */
    1, 2, 4,                /* bin 8, 16, 32 */
    2, 3, 5,                /* ext 8, 16, 32: length and type */
    4, 8,                   /* float 32, 64 */
    1, 2, 4, 8, 1, 2, 4, 8, /* uint 8 to 64, int 8 to 64 */
    1, 1, 1, 1, 1,          /* fixext 1 to 16: the type */
    1, 2, 4,                /* str 8, 16, 32 */
    2, 4, 2, 4,             /* array 16, 32, map 16, 32 */
};

/* Read the token at `p` into `out`. Returns the first byte after it (after the payload, for strings, binaries and
 * ext; after the header, for arrays and maps), or NULL with `*status` set to DDF_E_TRUNCATED or DDF_E_RESERVED.
 * `out->len` of a truncated payload is its complete length. */
static inline const uint8_t *ddf_token_read(const uint8_t *p, const uint8_t *end, ddf_token *out, int *status) {
    if (DDF_UNLIKELY(p >= end)) {
        *status = DDF_E_TRUNCATED;
        return NULL;
    }
    uint8_t c = *p++;
    if (c <= 0x7f) {
        return ddf_token_int(p, c, out);
    }
    if (c >= 0xe0) {
        return ddf_token_int(p, (int8_t)c, out);
    }
    if (c <= 0x8f) {
        return ddf_token_len(p, DDF_MAP, c & 0x0fu, out);
    }
    if (c <= 0x9f) {
        return ddf_token_len(p, DDF_ARRAY, c & 0x0fu, out);
    }
    if (c <= 0xbf) {
        out->kind = DDF_STR;
        return ddf_token_take(p, end, c & 0x1fu, out, status);
    }
    if (DDF_UNLIKELY((size_t)(end - p) < DDF_TOKEN_HEADER[c - 0xc0])) {
        *status = DDF_E_TRUNCATED;
        return NULL;
    }
    switch (c) {
    case 0xc0:
        out->kind = DDF_NIL;
        return p;
    case 0xc2:
    case 0xc3:
        out->kind = DDF_BOOL;
        out->value.i = c & 1;
        return p;
    case 0xc4:
        out->kind = DDF_BIN;
        return ddf_token_take(p + 1, end, *p, out, status);
    case 0xc5:
        out->kind = DDF_BIN;
        return ddf_token_take(p + 2, end, ddf_load16(p), out, status);
    case 0xc6:
        out->kind = DDF_BIN;
        return ddf_token_take(p + 4, end, ddf_load32(p), out, status);
    case 0xc7:
        return ddf_token_ext(p + 1, end, *p, out, status);
    case 0xc8:
        return ddf_token_ext(p + 2, end, ddf_load16(p), out, status);
    case 0xc9:
        return ddf_token_ext(p + 4, end, ddf_load32(p), out, status);
    case 0xca:
        out->kind = DDF_FLOAT;
        out->value.f = ddf_load_float32(p);
        return p + 4;
    case 0xcb:
        out->kind = DDF_FLOAT;
        out->value.f = ddf_load_float64(p);
        return p + 8;
    case 0xcc:
        return ddf_token_int(p + 1, *p, out);
    case 0xcd:
        return ddf_token_int(p + 2, ddf_load16(p), out);
    case 0xce:
        return ddf_token_int(p + 4, ddf_load32(p), out);
    case 0xcf:
        return ddf_token_uint(p + 8, ddf_load64(p), out);
    case 0xd0:
        return ddf_token_int(p + 1, (int8_t)*p, out);
    case 0xd1:
        return ddf_token_int(p + 2, (int16_t)ddf_load16(p), out);
    case 0xd2:
        return ddf_token_int(p + 4, (int32_t)ddf_load32(p), out);
    case 0xd3:
        return ddf_token_int(p + 8, (int64_t)ddf_load64(p), out);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return ddf_token_ext(p, end, 1u << (c - 0xd4), out, status);
    case 0xd9:
        out->kind = DDF_STR;
        return ddf_token_take(p + 1, end, *p, out, status);
    case 0xda:
        out->kind = DDF_STR;
        return ddf_token_take(p + 2, end, ddf_load16(p), out, status);
    case 0xdb:
        out->kind = DDF_STR;
        return ddf_token_take(p + 4, end, ddf_load32(p), out, status);
    case 0xdc:
        return ddf_token_len(p + 2, DDF_ARRAY, ddf_load16(p), out);
    case 0xdd:
        return ddf_token_len(p + 4, DDF_ARRAY, ddf_load32(p), out);
    case 0xde:
        return ddf_token_len(p + 2, DDF_MAP, ddf_load16(p), out);
    case 0xdf:
        return ddf_token_len(p + 4, DDF_MAP, ddf_load32(p), out);
    default:
        *status = DDF_E_RESERVED;
        return NULL;
    }
}

#endif
