/* ddf_plan: turn the spans of a group of samples into few large reads. Pure: no I/O, no allocation, thread safe. */
#ifndef DDF_PLAN_H
#define DDF_PLAN_H

#include "ddf_common.h"

typedef struct ddf_read {
    uint64_t offset; /* in the file */
    uint64_t length;
    uint64_t at; /* position in the destination */
} ddf_read;

/* Scratch memory of the planner: start and number of one span. */
typedef struct ddf_plan_item {
    uint64_t start;
    uint64_t number;
} ddf_plan_item;

/* The position of a read in the destination is congruent to its file offset modulo this, or a multiple of it: copies
 * from the page cache are several times slower if source and destination differ by 1 to 31 bytes modulo the page
 * size. */
#define DDF_LANDING_ALIGN 64

/* Merge `n` spans into at most `n` reads, in file order.
 * Spans that touch, overlap or are at most `max_gap` bytes apart (the coalescing distance) share a read. `landing[i]`
 * becomes the position of span i in a destination whose address is a multiple of `align`, a power of two; no two reads
 * share a block of that size there. `*total` becomes the size of the destination, in whole blocks. `reads` and
 * `landing` hold n items, `scratch` 2 n; the caller owns all. `*sorted` becomes the spans in file order (n items of the
 * scratch), or NULL if they are in that order already. `*overlaps` becomes 1 if a span begins where another one is.
 * Returns the number of reads, or DDF_E_SPAN with err->item = the first span whose stop is below its start or above
 * INT64_MAX. */
int64_t ddf_plan_reads(const ddf_span *spans, size_t n, uint64_t max_gap, uint64_t align, ddf_read *reads,
                       uint64_t *landing, uint64_t *total, ddf_plan_item *scratch, const ddf_plan_item **sorted,
                       int *overlaps, ddf_err *err);

/* Cut reads into pieces of at most `max_read` bytes (at least 1), so that several threads share a large one.
 * They are cut at the start of a page of the file, unless `max_read` is too short for that: no page is read twice.
 * `ends` are `n_ends` ascending positions in the destination: if some are within `max_read`, a piece ends at the last
 * of these. If `pieces` is NULL, pieces are only counted. Returns the number of pieces. */
size_t ddf_plan_cut(const ddf_read *reads, size_t n, uint64_t max_read, const uint64_t *ends, size_t n_ends,
                    ddf_read *pieces);

#endif
