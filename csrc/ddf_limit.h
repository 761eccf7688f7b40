/* ddf_limit: the concurrency limit, which is how many reads may be in flight. Pure, takes no lock.
 *
 * A network mount delivers what is in flight once per round trip, so many small reads are needed where a few large ones
 * are enough. More reads than fill the link gain nothing, but cost only some threads. So the limit is doubled while it
 * is reached and few bytes are in flight. No rates are measured: noise would make that unreliable. */
#ifndef DDF_LIMIT_H
#define DDF_LIMIT_H

#include "ddf_common.h"

/* The first limit, and the highest one that doubling reaches: a disk works best with 8 to 32 reads, NFS has 64 requests
 * in flight. 128 took a quarter more of processor time when measured, and was slower on a busy machine. */
#define DDF_LIMIT_START 32
#define DDF_LIMIT_MAX 64

/* Bytes in flight that are enough for any storage: 10 Gbit/s for 20 ms. */
#define DDF_LIMIT_BYTES ((uint64_t)24 << 20)

typedef struct ddf_limit {
    size_t reads; /* the limit */
    int fixed;
    size_t count;   /* reads noted since the limit was set, or since as many as the limit were noted */
    uint64_t bytes; /* of these */
} ddf_limit;

/* A fixed limit of `depth` reads; with 0, one that adapts. */
void ddf_limit_init(ddf_limit *limit, size_t depth);

/* Note a successful read of `bytes` from a network mount. `in_flight` is the number of reads in flight, including this
 * one. */
void ddf_limit_note_read(ddf_limit *limit, size_t in_flight, uint64_t bytes);

/* Note a read that failed: the limit is lowered. */
void ddf_limit_back_off(ddf_limit *limit);

#endif
