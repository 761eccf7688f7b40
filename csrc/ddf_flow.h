/* ddf_flow: how many reads to keep in flight. Pure, takes no lock.
 *
 * Storage that is far away gives what is in flight once each round trip, so many small reads are needed where a few
 * large ones are enough. More than fills the way gains nothing, but costs only some threads: so the limit is doubled
 * while every place is taken and few bytes are in flight. It needs no measuring of rates, which noise makes hard. */
#ifndef DDF_FLOW_H
#define DDF_FLOW_H

#include "ddf_common.h"

/* Where it starts, and how far it goes by doubling: a disk likes 8 to 32, NFS has 64 requests in flight. Twice that was
 * measured to take a quarter more of processor time, and to be slower on a busy machine. */
#define DDF_FLOW_START 32
#define DDF_FLOW_MOST 64

/* Bytes in flight that are enough anywhere: 10 Gbit/s for 20 ms. */
#define DDF_FLOW_BYTES ((uint64_t)24 << 20)

typedef struct ddf_flow {
    size_t limit;
    int fixed;
    size_t count; /* reads since the limit was set, or since as many were looked at */
    uint64_t bytes;
} ddf_flow;

/* Always `depth` reads; or, with 0, as many as are of use. */
void ddf_flow_init(ddf_flow *flow, size_t depth);

/* Note a read of `bytes` from far storage that ended well, while `in_flight` were under way, itself included. */
void ddf_flow_note(ddf_flow *flow, size_t in_flight, uint64_t bytes);

/* Note a read that failed: less is asked of storage. */
void ddf_flow_back_off(ddf_flow *flow);

#endif
