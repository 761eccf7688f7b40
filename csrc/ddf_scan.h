/* ddf_scan: the samples of a data file, found and checked without objects. Pure, no allocation, thread safe. */
#ifndef DDF_SCAN_H
#define DDF_SCAN_H

#include "ddf_common.h"

/* What a sample has for a key: the value that the map it is holds under the string "key". */
typedef enum ddf_scan_key {
    DDF_KEY_TEXT,   /* a string */
    DDF_KEY_OTHER,  /* another value */
    DDF_KEY_NONE,   /* none */
    DDF_KEY_NO_MAP, /* the sample is no map */
} ddf_scan_key;

/* Positions count from the beginning of the buffer. */
typedef struct ddf_scanned {
    uint64_t start, stop;
    ddf_scan_key kind;
    uint32_t key_size; /* DDF_KEY_TEXT: bytes of the key */
    uint64_t key_at;   /* and where they are */
} ddf_scanned;

/* Find the samples that follow one another in `[p, p + len)`, and check every byte of them, UTF-8 included.
 * Returns how many, at most `room`; fewer before one that is damaged or cut off, which is an error where it is the
 * first: DDF_E_*, err->pos its position. With DDF_E_TRUNCATED, err->item is how many bytes that sample takes at the
 * least. */
int64_t ddf_scan_run(const uint8_t *p, size_t len, ddf_scanned *out, size_t room, ddf_err *err);

/* Check that each of the `n` spans is exactly one message. Spans count from `base`, where `p` is, and are within
 * `[base, base + len)`. `out` holds n items.
 * Returns n, or how many are sound before one that is damaged. Where that is the first: DDF_E_*, err->pos counting from
 * its start. */
int64_t ddf_scan_spans(const uint8_t *p, size_t len, uint64_t base, const ddf_span *spans, size_t n, ddf_scanned *out,
                       ddf_err *err);

#endif
