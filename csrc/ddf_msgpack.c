#include "ddf_msgpack.h"

/* Payload of `len` bytes at `p`; the only place where a length from the file meets a pointer. */
static inline const uint8_t *take(const uint8_t *p, const uint8_t *end, uint32_t len, ddf_token *out, int *status) {
    if (DDF_UNLIKELY((size_t)(end - p) < len)) {
        *status = DDF_E_TRUNCATED;
        return NULL;
    }
    out->len = len;
    out->data = p;
    return p + len;
}

static inline const uint8_t *take_ext(const uint8_t *p, const uint8_t *end, uint32_t len, ddf_token *out, int *status) {
    out->kind = DDF_EXT;
    out->ext_type = (int8_t)*p;
    return take(p + 1, end, len, out, status);
}

static inline const uint8_t *set_int(const uint8_t *p, int64_t v, ddf_token *out) {
    out->kind = DDF_INT;
    out->value.i = v;
    return p;
}

static inline const uint8_t *set_len(const uint8_t *p, ddf_kind kind, uint32_t len, ddf_token *out) {
    out->kind = kind;
    out->len = len;
    return p;
}

static inline const uint8_t *set_uint64(const uint8_t *p, uint64_t v, ddf_token *out) {
    if (v <= INT64_MAX) {
        return set_int(p, (int64_t)v, out);
    }
    out->kind = DDF_UINT;
    out->value.u = v;
    return p;
}

static inline double load_float32(const uint8_t *p) {
    uint32_t bits = ddf_load32(p);
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static inline double load_float64(const uint8_t *p) {
    uint64_t bits = ddf_load64(p);
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Bytes of a header after its first one, indexed by first byte - 0xc0: lengths, numbers and ext types. */
static const uint8_t HEADER[32] = {
    0, 0, 0, 0,             /* nil, reserved, false, true */
    1, 2, 4,                /* bin 8, 16, 32 */
    2, 3, 5,                /* ext 8, 16, 32: length and type */
    4, 8,                   /* float 32, 64 */
    1, 2, 4, 8, 1, 2, 4, 8, /* uint 8 to 64, int 8 to 64 */
    1, 1, 1, 1, 1,          /* fixext 1 to 16: the type */
    1, 2, 4,                /* str 8, 16, 32 */
    2, 4, 2, 4,             /* array 16, 32, map 16, 32 */
};

const uint8_t *ddf_token_read(const uint8_t *p, const uint8_t *end, ddf_token *out, int *status) {
    if (DDF_UNLIKELY(p >= end)) {
        *status = DDF_E_TRUNCATED;
        return NULL;
    }
    uint8_t c = *p++;
    if (c <= 0x7f) {
        return set_int(p, c, out);
    }
    if (c >= 0xe0) {
        return set_int(p, (int8_t)c, out);
    }
    if (c <= 0x8f) {
        return set_len(p, DDF_MAP, c & 0x0fu, out);
    }
    if (c <= 0x9f) {
        return set_len(p, DDF_ARRAY, c & 0x0fu, out);
    }
    if (c <= 0xbf) {
        out->kind = DDF_STR;
        return take(p, end, c & 0x1fu, out, status);
    }
    if (DDF_UNLIKELY((size_t)(end - p) < HEADER[c - 0xc0])) {
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
        return take(p + 1, end, *p, out, status);
    case 0xc5:
        out->kind = DDF_BIN;
        return take(p + 2, end, ddf_load16(p), out, status);
    case 0xc6:
        out->kind = DDF_BIN;
        return take(p + 4, end, ddf_load32(p), out, status);
    case 0xc7:
        return take_ext(p + 1, end, *p, out, status);
    case 0xc8:
        return take_ext(p + 2, end, ddf_load16(p), out, status);
    case 0xc9:
        return take_ext(p + 4, end, ddf_load32(p), out, status);
    case 0xca:
        out->kind = DDF_FLOAT;
        out->value.f = load_float32(p);
        return p + 4;
    case 0xcb:
        out->kind = DDF_FLOAT;
        out->value.f = load_float64(p);
        return p + 8;
    case 0xcc:
        return set_int(p + 1, *p, out);
    case 0xcd:
        return set_int(p + 2, ddf_load16(p), out);
    case 0xce:
        return set_int(p + 4, ddf_load32(p), out);
    case 0xcf:
        return set_uint64(p + 8, ddf_load64(p), out);
    case 0xd0:
        return set_int(p + 1, (int8_t)*p, out);
    case 0xd1:
        return set_int(p + 2, (int16_t)ddf_load16(p), out);
    case 0xd2:
        return set_int(p + 4, (int32_t)ddf_load32(p), out);
    case 0xd3:
        return set_int(p + 8, (int64_t)ddf_load64(p), out);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return take_ext(p, end, 1u << (c - 0xd4), out, status);
    case 0xd9:
        out->kind = DDF_STR;
        return take(p + 1, end, *p, out, status);
    case 0xda:
        out->kind = DDF_STR;
        return take(p + 2, end, ddf_load16(p), out, status);
    case 0xdb:
        out->kind = DDF_STR;
        return take(p + 4, end, ddf_load32(p), out, status);
    case 0xdc:
        return set_len(p + 2, DDF_ARRAY, ddf_load16(p), out);
    case 0xdd:
        return set_len(p + 4, DDF_ARRAY, ddf_load32(p), out);
    case 0xde:
        return set_len(p + 2, DDF_MAP, ddf_load16(p), out);
    case 0xdf:
        return set_len(p + 4, DDF_MAP, ddf_load32(p), out);
    default:
        *status = DDF_E_RESERVED;
        return NULL;
    }
}

static const char *reason(int status) {
    return status == DDF_E_RESERVED ? "byte 0xc1 starts no msgpack value" : "value runs past the end of the sample";
}

/* One value and all it holds. `left[d]` counts the values still open at depth d, so that no recursion is needed. */
static const uint8_t *walk(const uint8_t *p, const uint8_t *end, const uint8_t *base, int utf8, ddf_err *err) {
    uint64_t left[DDF_MAX_DEPTH + 1];
    size_t depth = 0;
    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0) {
                return p;
            }
            depth--;
        }
        left[depth]--;
        ddf_token token;
        int status = 0;
        const uint8_t *next = ddf_token_read(p, end, &token, &status);
        if (DDF_UNLIKELY(next == NULL)) {
            ddf_fail(err, status, reason(status), 0, (uint64_t)(p - base));
            return NULL;
        }
        if (token.kind >= DDF_ARRAY) {
            if (DDF_UNLIKELY(depth == DDF_MAX_DEPTH)) {
                ddf_fail(err, DDF_E_DEPTH, "arrays and maps are nested too deeply", 0, (uint64_t)(p - base));
                return NULL;
            }
            left[++depth] = token.kind == DDF_MAP ? 2 * (uint64_t)token.len : token.len;
        } else if (utf8 && token.kind == DDF_STR && DDF_UNLIKELY(!ddf_utf8_valid(token.data, token.len))) {
            ddf_fail(err, DDF_E_UTF8, "string is not valid UTF-8", 0, (uint64_t)(p - base));
            return NULL;
        }
        p = next;
    }
}

const uint8_t *ddf_msgpack_skip(const uint8_t *p, const uint8_t *end, const uint8_t *base, ddf_err *err) {
    return walk(p, end, base, 0, err);
}

int ddf_msgpack_check(const uint8_t *p, size_t len, int utf8, ddf_err *err) {
    ddf_err local;
    err = err == NULL ? &local : err;
    const uint8_t *stop = walk(p, p + len, p, utf8, err);
    if (stop == NULL) {
        return err->code;
    }
    if (stop != p + len) {
        return ddf_fail(err, DDF_E_TRAILING, "bytes follow the end of the message", 0, (uint64_t)(stop - p));
    }
    return DDF_OK;
}

int64_t ddf_msgpack_split(const uint8_t *p, size_t len, uint64_t *offsets, size_t room, ddf_err *err) {
    const uint8_t *end = p + len;
    const uint8_t *at = p;
    size_t n = 0;
    while (at < end) {
        if (n < room) {
            offsets[n] = (uint64_t)(at - p);
        }
        ddf_err local;
        at = walk(at, end, p, 0, &local);
        if (at == NULL) {
            return ddf_fail(err, local.code, local.msg, n, local.pos);
        }
        n++;
    }
    return (int64_t)n;
}

int ddf_utf8_valid(const uint8_t *p, size_t len) {
    const uint8_t *end = p + len;
    while (p < end) {
        while ((size_t)(end - p) >= 8) { /* eight ASCII bytes at a time */
            uint64_t word;
            memcpy(&word, p, 8);
            if (word & 0x8080808080808080u) {
                break;
            }
            p += 8;
        }
        if (p == end) {
            break;
        }
        uint8_t c = *p;
        if (c < 0x80) {
            p++;
            continue;
        }
        /* Bounds of the second byte rule out overlong forms, surrogates and code points above U+10FFFF. */
        size_t extra = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) <= extra || p[1] < low || p[1] > high) {
            return 0;
        }
        for (size_t i = 2; i <= extra; i++) {
            if ((p[i] & 0xc0) != 0x80) {
                return 0;
            }
        }
        p += extra + 1;
    }
    return 1;
}
