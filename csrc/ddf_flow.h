/* ddf_flow: how many reads to keep in flight, found out by trying. Pure, takes no lock.
 *
 * While all places are taken, storage gives `limit * bytes / time` with reads of `bytes` that take `time`. The limit is
 * doubled for a while, and stays so where that gave clearly more: on storage that is far away a read takes as long as
 * the way, however many there are. Where the link, the disk or the processors are busy already, reads only take longer;
 * the limit goes back, and more is tried again after a while. */
#ifndef DDF_FLOW_H
#define DDF_FLOW_H

#include "ddf_common.h"

/* Where it starts, and how far it goes by doubling: a disk likes 8 to 32, NFS has 64 requests in flight. */
#define DDF_FLOW_START 32
#define DDF_FLOW_MOST 128

/* Bytes in flight that are enough anywhere: 10 Gbit/s for 20 ms. More large reads would only take more memory. */
#define DDF_FLOW_BYTES ((uint64_t)24 << 20)

typedef struct ddf_flow {
    size_t limit;
    int fixed;
    size_t proven; /* the limit that gave `rate`; half of `limit` while more is tried */
    double rate;   /* bytes a nanosecond, 0: not known */
    size_t skip;   /* reads still to come that began under another limit */
    size_t count;  /* reads measured */
    uint64_t bytes, time;
    size_t rest, pause; /* reads until the next try; multiples of the limit that the next rest will be */
} ddf_flow;

/* Always `depth` reads; or, with 0, as many as are of use. */
void ddf_flow_init(ddf_flow *flow, size_t depth);

/* Note a read of `bytes` that took `time` ns and ended well, while `in_flight` were under way, itself included. */
void ddf_flow_note(ddf_flow *flow, size_t in_flight, uint64_t bytes, uint64_t time);

/* Note a read that failed: less is asked of storage for a while. */
void ddf_flow_back_off(ddf_flow *flow);

#endif
