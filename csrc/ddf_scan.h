/* ddf_scan: the samples of a data file, found and checked without objects. Pure, no allocation, thread safe. */
#ifndef DDF_SCAN_H
#define DDF_SCAN_H

#include "ddf_common.h"

/* The key of a sample: the value under the string "key" in its map. */
typedef enum ddf_scan_key {
    DDF_KEY_TEXT,   /* a string */
    DDF_KEY_OTHER,  /* another value */
    DDF_KEY_NONE,   /* none */
    DDF_KEY_NO_MAP, /* the sample is not a map */
} ddf_scan_key;

/* Positions count from the beginning of the buffer. */
typedef struct ddf_scanned {
    uint64_t start, stop;
    ddf_scan_key kind;
    uint32_t key_size; /* DDF_KEY_TEXT: bytes of the key */
    uint64_t key_at;   /* and their position */
} ddf_scanned;

/* Find the samples that follow one another in `[p, p + len)`, and check every byte of them, UTF-8 included.
 * Returns the number of samples before one that is damaged or truncated, at most `room`. If that is the first one,
 * returns DDF_E_* with err->pos its position; with DDF_E_TRUNCATED, err->item is the minimum number of bytes that this
 * sample takes. */
int64_t ddf_scan_run(const uint8_t *p, size_t len, ddf_scanned *out, size_t room, ddf_err *err);

/* Check that each of the `n` spans is exactly one message. Spans count from `base`, where `p` is, and are within
 * `[base, base + len)`. `out` holds n items.
 * Returns n, or the number of intact samples before a damaged one. If that is the first one, returns DDF_E_* with
 * err->pos counting from its start. */
int64_t ddf_scan_spans(const uint8_t *p, size_t len, uint64_t base, const ddf_span *spans, size_t n, ddf_scanned *out,
                       ddf_err *err);

#endif
