#include "ddf_flow.h"

static void set_limit(ddf_flow *flow, size_t limit) {
    flow->limit = limit;
    flow->count = 0;
    flow->bytes = 0;
}

void ddf_flow_init(ddf_flow *flow, size_t depth) {
    flow->fixed = depth != 0;
    set_limit(flow, depth == 0 ? DDF_FLOW_START : depth);
}

void ddf_flow_note(ddf_flow *flow, size_t in_flight, uint64_t bytes) {
    if (flow->fixed || in_flight < flow->limit) {
        return; /* it is the consumer that storage waits for */
    }
    flow->bytes += bytes;
    if (++flow->count == flow->limit) { /* as many as are in flight: so are their bytes */
        int more = flow->limit < DDF_FLOW_MOST && 2 * flow->bytes < DDF_FLOW_BYTES;
        set_limit(flow, more ? 2 * flow->limit : flow->limit);
    }
}

void ddf_flow_back_off(ddf_flow *flow) {
    if (!flow->fixed) {
        set_limit(flow, flow->limit > DDF_FLOW_START ? flow->limit / 2 : flow->limit);
    }
}
