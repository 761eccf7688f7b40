#include "ddf_flow.h"

#include <assert.h>

#define PIECE ((uint64_t)100000)

/* Storage where a read takes `way` ns, or longer where the link (bytes a ns) is what is short. */
typedef struct model {
    double way, link;
} model;

static uint64_t time_of(const model *m, size_t in_flight) {
    double queued = m->link > 0 ? (double)in_flight * (double)PIECE / m->link : 0;
    return (uint64_t)(queued > m->way ? queued : m->way);
}

/* All places are taken all the time. Returns the limit in the end. */
static size_t run(ddf_flow *flow, const model *m, size_t reads) {
    for (size_t i = 0; i < reads; i++) {
        ddf_flow_note(flow, flow->limit, PIECE, time_of(m, flow->limit));
    }
    return flow->proven;
}

static void a_given_depth_stays(void) {
    const model far = {5e6, 0};
    for (size_t depth = 1; depth < 2000; depth += 63) {
        ddf_flow flow;
        ddf_flow_init(&flow, depth);
        assert(flow.limit == depth && run(&flow, &far, 10000) == depth && flow.limit == depth);
        ddf_flow_back_off(&flow);
        assert(flow.limit == depth);
    }
}

static void it_grows_where_reads_take_as_long_as_the_way(void) {
    const model far = {5e6, 0};
    ddf_flow flow;
    ddf_flow_init(&flow, 0);
    assert(flow.limit == DDF_FLOW_START);
    assert(run(&flow, &far, 200) == 64 && run(&flow, &far, 1000) == DDF_FLOW_MOST && flow.limit == DDF_FLOW_MOST);
}

static void it_stays_where_the_link_is_full(void) {
    const model full[] = {{1e6, 1.25}, {10e6, 0.125}, {0.1e6, 2.0}};
    for (size_t i = 0; i < sizeof full / sizeof *full; i++) {
        ddf_flow flow;
        ddf_flow_init(&flow, 0);
        assert(run(&flow, &full[i], 20000) == DDF_FLOW_START);
    }
    const model needs_64 = {5e6, 1.25}; /* 63 in flight fill it */
    ddf_flow flow;
    ddf_flow_init(&flow, 0);
    assert(run(&flow, &needs_64, 20000) == 64);
}

static void large_reads_are_enough_as_they_are(void) {
    ddf_flow flow;
    ddf_flow_init(&flow, 0);
    for (int i = 0; i < 100000; i++) {
        ddf_flow_note(&flow, flow.limit, (uint64_t)1 << 20, 5000000);
        assert(flow.limit == DDF_FLOW_START);
    }
}

static void tries_become_rare_but_do_not_end(void) {
    const model full = {1e6, 1.25}, far = {5e6, 0};
    ddf_flow flow;
    ddf_flow_init(&flow, 0);
    size_t more = 0;
    for (size_t i = 0; i < 100000; i++) {
        more += flow.limit > DDF_FLOW_START;
        (void)run(&flow, &full, 1);
    }
    assert(more < 100000 / 20);
    assert(run(&flow, &far, 8000) == DDF_FLOW_MOST); /* the way has become longer */
}

static void reads_that_the_consumer_holds_up_tell_nothing(void) {
    ddf_flow flow;
    ddf_flow_init(&flow, 0);
    for (size_t i = 0; i < 10000; i++) {
        ddf_flow_note(&flow, flow.limit - 1, PIECE, 5000000);
    }
    assert(flow.limit == DDF_FLOW_START && flow.rate <= 0);
}

static void failures_halve_it_for_a_while(void) {
    const model far = {5e6, 0};
    ddf_flow flow;
    ddf_flow_init(&flow, 0);
    ddf_flow_back_off(&flow);
    assert(flow.limit == DDF_FLOW_START);
    (void)run(&flow, &far, 10000);
    ddf_flow_back_off(&flow);
    assert(flow.limit == DDF_FLOW_MOST / 2);
    for (int i = 0; i < 10; i++) {
        ddf_flow_back_off(&flow);
    }
    assert(flow.limit == DDF_FLOW_START && run(&flow, &far, 20000) == DDF_FLOW_MOST);
}

int main(void) {
    a_given_depth_stays();
    it_grows_where_reads_take_as_long_as_the_way();
    it_stays_where_the_link_is_full();
    large_reads_are_enough_as_they_are();
    tries_become_rare_but_do_not_end();
    reads_that_the_consumer_holds_up_tell_nothing();
    failures_halve_it_for_a_while();
    return 0;
}
