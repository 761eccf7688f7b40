#include "ddf_flow.h"

/* What twice the reads in flight have to give to be worth it. */
#define WORTH 1.25

/* Reads between two tries in vain, at first and at most, in multiples of the limit. */
#define PAUSE_LEAST 32
#define PAUSE_MOST 128

/* Measure anew, with those that come under this limit. */
static void set_limit(ddf_flow *flow, size_t limit) {
    flow->limit = limit;
    flow->skip = limit;
    flow->count = 0;
    flow->bytes = flow->time = 0;
}

void ddf_flow_init(ddf_flow *flow, size_t depth) {
    size_t start = depth == 0 ? DDF_FLOW_START : depth;
    *flow = (ddf_flow){.fixed = depth != 0, .proven = start, .pause = PAUSE_LEAST};
    set_limit(flow, start);
}

static void go_back(ddf_flow *flow) {
    set_limit(flow, flow->proven);
    flow->rest = flow->pause * flow->proven;
    flow->pause = flow->pause < PAUSE_MOST ? 2 * flow->pause : PAUSE_MOST;
}

static void try_more(ddf_flow *flow, double rate) {
    int enough = flow->bytes >= DDF_FLOW_BYTES; /* as many reads were measured as are in flight */
    flow->rate = rate;
    flow->proven = flow->limit;
    if (enough) {
        go_back(flow);
        return;
    }
    set_limit(flow, flow->limit < DDF_FLOW_MOST ? 2 * flow->limit : flow->limit);
}

/* Enough was measured under this limit. */
static void judge(ddf_flow *flow) {
    double rate = (double)flow->limit * (double)flow->bytes / (double)(flow->time + 1);
    if (flow->limit == flow->proven) {
        try_more(flow, rate);
    } else if (rate < WORTH * flow->rate) {
        go_back(flow);
    } else {
        flow->pause = PAUSE_LEAST;
        try_more(flow, rate);
    }
}

void ddf_flow_note(ddf_flow *flow, size_t in_flight, uint64_t bytes, uint64_t time) {
    if (flow->fixed) {
        return;
    }
    if (flow->rest > 0) {
        flow->rest--;
    } else if (in_flight < flow->limit) {
        return; /* it is the consumer that storage waits for */
    } else if (flow->skip > 0) {
        flow->skip--;
    } else {
        flow->bytes += bytes;
        flow->time += time;
        if (++flow->count == flow->limit) {
            judge(flow);
        }
    }
}

void ddf_flow_back_off(ddf_flow *flow) {
    if (flow->fixed) {
        return;
    }
    if (flow->proven > DDF_FLOW_START) {
        flow->proven /= 2;
    }
    go_back(flow);
}
