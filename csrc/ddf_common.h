/* ddf_common: status codes, the error record, and endian loads shared by all kernels.
 *
 * Every fallible function returns 0 (or a count) on success and a negative status otherwise: `-errno` if the
 * operating system refused, one of DDF_E_* if the data is invalid. Details go to a `ddf_err` of the caller. */
#ifndef DDF_COMMON_H
#define DDF_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    DDF_OK = 0,
    /* Below every -errno, so that one int carries both. */
    DDF_E_TRUNCATED = -10001, /* a value runs past the end of its sample */
    DDF_E_TRAILING = -10002,  /* bytes follow the sample's only message */
    DDF_E_DEPTH = -10003,     /* nested deeper than DDF_MAX_DEPTH */
    DDF_E_RESERVED = -10004,  /* the byte 0xc1, which msgpack never writes */
    DDF_E_UTF8 = -10005,      /* a string is not UTF-8 */
    DDF_E_SPAN = -10006,      /* an offset table entry is out of order or out of the file */
    DDF_E_FIELDS = -10007,    /* more distinct field names than a batch may have */
    DDF_E_INDEX = -10008,     /* a sample index outside the dataset */
    DDF_E_COLLISION = -10009, /* two keys share a 64-bit hash */
    DDF_E_EOF = -10010,       /* the data file ended before the read did */
    DDF_E_CHANGED = -10011,   /* the data file's size changed while it was open */
    DDF_E_CANCELLED = -10012, /* the work was cancelled */
    DDF_E_LIMIT = -10013,     /* a size that the layout cannot hold */
    DDF_E_TYPE = -10014,      /* a value of another type than expected */
    DDF_E_VALUE = -10015,     /* well-formed bytes without a valid value: a bad dtype, shape, timestamp or key */
    DDF_E_CHECKSUM = -10016,  /* the bytes of a sample differ from those that were written */
    DDF_E_SYNTAX = -10017,    /* a text that is not JSON, or not the JSON that is expected */
};

/* Where and why something failed. `msg` is a static string. */
typedef struct ddf_err {
    int code;
    const char *msg;
    uint64_t item; /* number of the input in a bulk call, from 0 */
    uint64_t pos;  /* byte position inside that input */
} ddf_err;

/* Borrowed bytes. */
typedef struct ddf_slice {
    const uint8_t *data;
    uint64_t size;
} ddf_slice;

/* Half-open byte range [start, stop) of a file. */
typedef struct ddf_span {
    uint64_t start, stop;
} ddf_span;

/* Fill `err` (may be NULL) and return `code`. */
static inline int ddf_fail(ddf_err *err, int code, const char *msg, uint64_t item, uint64_t pos) {
    if (err != NULL) {
        err->code = code;
        err->msg = msg;
        err->item = item;
        err->pos = pos;
    }
    return code;
}

#define DDF_LIKELY(x) __builtin_expect(!!(x), 1)
#define DDF_UNLIKELY(x) __builtin_expect(!!(x), 0)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DDF_BE16(x) __builtin_bswap16(x)
#define DDF_BE32(x) __builtin_bswap32(x)
#define DDF_BE64(x) __builtin_bswap64(x)
#else
#define DDF_BE16(x) (x)
#define DDF_BE32(x) (x)
#define DDF_BE64(x) (x)
#endif

/* Big-endian loads from unaligned memory. */
static inline uint16_t ddf_load16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return DDF_BE16(v);
}

static inline uint32_t ddf_load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return DDF_BE32(v);
}

static inline uint64_t ddf_load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return DDF_BE64(v);
}

static inline void ddf_store64(uint8_t *p, uint64_t v) {
    v = DDF_BE64(v);
    memcpy(p, &v, sizeof v);
}

#endif
