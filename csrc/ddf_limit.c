#include "ddf_limit.h"

static void set_limit(ddf_limit *limit, size_t reads) {
    limit->reads = reads;
    limit->count = 0;
    limit->bytes = 0;
}

void ddf_limit_init(ddf_limit *limit, size_t depth) {
    limit->fixed = depth != 0;
    set_limit(limit, depth == 0 ? DDF_LIMIT_START : depth);
}

void ddf_limit_note_read(ddf_limit *limit, size_t in_flight, uint64_t bytes) {
    if (limit->fixed || in_flight < limit->reads) {
        return; /* the consumer is the bottleneck, not the storage */
    }
    limit->bytes += bytes;
    if (++limit->count == limit->reads) { /* as many as are in flight, so `bytes` is what is in flight */
        int more = limit->reads < DDF_LIMIT_MAX && 2 * limit->bytes < DDF_LIMIT_BYTES;
        set_limit(limit, more ? 2 * limit->reads : limit->reads);
    }
}

void ddf_limit_back_off(ddf_limit *limit) {
    if (!limit->fixed) {
        set_limit(limit, limit->reads > DDF_LIMIT_START ? limit->reads / 2 : limit->reads);
    }
}
