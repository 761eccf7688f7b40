/* ddf_order: which sample comes at which position of an epoch. Pure, no allocation, thread safe.
 *
 * Unless the caller passes one, an order has no list: a keyed permutation gives the index of any position at once, so
 * resuming at a position costs nothing. The same order gives the same indices on every machine and in every version: a
 * change of it is a change of the format. */
#ifndef DDF_ORDER_H
#define DDF_ORDER_H

#include "ddf_common.h"

typedef enum ddf_order_kind {
    DDF_ORDER_SEQUENTIAL,
    DDF_ORDER_SHUFFLED, /* a permutation of all samples */
    DDF_ORDER_BLOCKS,   /* blocks of consecutive samples shuffled, then the samples of each window of blocks */
    DDF_ORDER_LISTED,   /* a list of the caller */
} ddf_order_kind;

typedef struct ddf_order {
    ddf_order_kind kind;
    uint64_t n; /* positions, below 2^62 */
    uint64_t seed, epoch;
    uint64_t block;  /* DDF_ORDER_BLOCKS: samples of a block, at least 1 */
    uint64_t window; /* DDF_ORDER_BLOCKS: blocks of a window, at least 1 */
    const int64_t *list; /* DDF_ORDER_LISTED: n indices, borrowed */
} ddf_order;

/* Indices at positions [first, first + count), all below n unless they are listed. Returns 0, or DDF_E_INDEX with
 * err->item = the first position that is out of range. */
int ddf_order_indices(const ddf_order *order, uint64_t first, size_t count, int64_t *indices, ddf_err *err);

#endif
