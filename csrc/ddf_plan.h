/* ddf_plan: turn the spans of a group of samples into few large reads. Pure: no I/O, no allocation, thread safe. */
#ifndef DDF_PLAN_H
#define DDF_PLAN_H

#include "ddf_common.h"

typedef struct ddf_read {
    uint64_t offset; /* in the file */
    uint64_t length;
    uint64_t at; /* where it lands, from the start of the destination */
} ddf_read;

/* Scratch of the planner: one span's start and number. */
typedef struct ddf_plan_item {
    uint64_t start;
    uint64_t number;
} ddf_plan_item;

/* A read lands at a position congruent to its file offset modulo this, or a multiple of it: copies out of the page cache
 * are several times slower where source and destination differ by 1 to 31 bytes modulo the page size. */
#define DDF_LANDING_ALIGN 64

/* Merge `n` spans into at most `n` reads, in file order.
 * Spans that touch, overlap or are at most `max_gap` bytes apart (the coalescing distance) share a read. `landing[i]` becomes the position
 * of span i in a destination whose address is a multiple of `align`, a power of two; no two reads share a block of that
 * size there. `*total` is the size the destination needs, in whole blocks. `reads` and `landing` hold n items, `scratch`
 * 2 n; the caller owns all. `*sorted` becomes the spans in file order (n items of the scratch), or NULL when they come in
 * that order.
 * Returns the number of reads, or DDF_E_SPAN with err->item = the first span whose stop is below its start or above INT64_MAX. */
int64_t ddf_plan_reads(const ddf_span *spans, size_t n, uint64_t max_gap, uint64_t align, ddf_read *reads,
                       uint64_t *landing, uint64_t *total, ddf_plan_item *scratch, const ddf_plan_item **sorted, ddf_err *err);

/* Cut reads into pieces of at most `max_read` bytes (at least 1), so that several threads share a large one.
 * They are cut where pages of the file begin, unless `max_read` is too short for that: no page is read twice.
 * `ends` are positions in the destination, `n_ends` of them, none below the one before: where one of them is within
 * `max_read`, a piece ends at the last such. With `pieces` NULL only counts. Returns the number of pieces. */
size_t ddf_plan_cut(const ddf_read *reads, size_t n, uint64_t max_read, const uint64_t *ends, size_t n_ends,
                    ddf_read *pieces);

#endif
