#include "ddf_limit.h"

#include <assert.h>
#include <stdio.h>

/* ---- storage in virtual time ----
 *
 * A read waits for one of the server's places, travels for a while, queues for the link, and is copied by one of the
 * processors. Times are in ns, rates in bytes a ns. */

#define MOST ((size_t)128)

typedef struct model {
    double way, noise;  /* a round trip, which varies by that share of itself */
    double stalls;      /* share of the reads that take another 10 ms */
    double link;        /* 0: no limit */
    size_t places, processors;
    double copy; /* ns a byte */
} model;

typedef enum stage { FREE, QUEUED, ON_ITS_WAY, ARRIVED, COPIED } stage;

typedef struct world {
    const model *m;
    stage stages[MOST];
    double next[MOST]; /* when that stage ends */
    double now, link_free, processor_free[8];
    size_t in_flight, served;
    uint64_t random;
} world;

static double chance(world *w) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(w->random >> 11) / 9007199254740992.0;
}

/* The read whose stage ends first, of those in the stages from one to another; MOST: none. */
static size_t first(const world *w, stage from, stage to) {
    size_t found = MOST;
    for (size_t i = 0; i < MOST; i++) {
        if (w->stages[i] >= from && w->stages[i] <= to && (found == MOST || w->next[i] < w->next[found])) {
            found = i;
        }
    }
    return found;
}

static void begin(world *w) {
    size_t i = 0;
    while (w->stages[i] != FREE) {
        i++;
    }
    w->stages[i] = QUEUED;
    w->next[i] = w->now;
    w->in_flight++;
}

static void serve(world *w) {
    size_t i;
    while (w->served < w->m->places && (i = first(w, QUEUED, QUEUED)) < MOST) {
        double noise = w->m->noise * (2 * chance(w) - 1), stall = chance(w) < w->m->stalls ? 10e6 : 0;
        w->stages[i] = ON_ITS_WAY;
        w->next[i] = w->now + w->m->way * (1 + noise) + stall;
        w->served++;
    }
}

static double after(double *free_at, double now, double takes) {
    *free_at = (*free_at > now ? *free_at : now) + takes;
    return *free_at;
}

static void copy(world *w, size_t i, double piece) {
    size_t idle = 0;
    for (size_t k = 1; k < w->m->processors; k++) {
        idle = w->processor_free[k] < w->processor_free[idle] ? k : idle;
    }
    w->served--;
    w->stages[i] = COPIED;
    w->next[i] = after(&w->processor_free[idle], w->now, piece * w->m->copy);
}

/* Let time pass until a read ends. */
static void run_until_one_ends(world *w, double piece) {
    for (;;) {
        serve(w);
        size_t i = first(w, ON_ITS_WAY, COPIED);
        w->now = w->next[i];
        if (w->stages[i] == ON_ITS_WAY) {
            w->stages[i] = ARRIVED;
            w->next[i] = after(&w->link_free, w->now, w->m->link > 0 ? piece / w->m->link : 0);
        } else if (w->stages[i] == ARRIVED) {
            copy(w, i, piece);
        } else {
            w->stages[i] = FREE;
            return;
        }
    }
}

/* Bytes a ns of a pass with a consumer that always wants more. */
static double rate_of(const model *m, ddf_limit *limit, uint64_t piece, size_t reads) {
    world w = {.m = m, .random = 1};
    for (size_t i = 0; i < reads; i++) {
        while (w.in_flight < limit->reads) {
            begin(&w);
        }
        run_until_one_ends(&w, (double)piece);
        ddf_limit_note_read(limit, w.in_flight, piece);
        w.in_flight--;
    }
    return (double)piece * (double)reads / w.now;
}

/* ---- what it does there ---- */

#define RANDOM ((uint64_t)100000)
#define SEQUENTIAL ((uint64_t)1 << 20)

static double best_of_fixed_depths(const model *m, uint64_t piece, size_t reads) {
    double best = 0;
    for (size_t depth = 16; depth <= MOST; depth *= 2) {
        ddf_limit limit;
        ddf_limit_init(&limit, depth);
        double rate = rate_of(m, &limit, piece, reads);
        best = rate > best ? rate : best;
    }
    return best;
}

static void it_is_as_fast_as_the_best_depth(void) {
    const double ways[] = {0.2e6, 1e6, 5e6, 10e6}, links[] = {0.125, 1.25};
    const model calm = {.noise = 0.05, .places = MOST, .processors = 4, .copy = 0.1},
                nfs = {.noise = 0.05, .places = 64, .processors = 4, .copy = 0.1},
                busy = {.noise = 0.3, .stalls = 0.02, .places = MOST, .processors = 2, .copy = 0.2},
                overloaded = {.noise = 0.5, .stalls = 0.1, .places = 64, .processors = 1, .copy = 0.4};
    const model kinds[] = {calm, nfs, busy, overloaded};
    for (size_t i = 0; i < 4 * 4 * 2 * 2; i++) {
        model m = kinds[i % 4];
        m.way = ways[i / 4 % 4];
        m.link = links[i / 16 % 2];
        uint64_t piece = i / 32 == 0 ? RANDOM : SEQUENTIAL;
        size_t reads = i / 32 == 0 ? 8000 : 1000;
        if ((m.way + m.stalls * 10e6) * m.link > (double)(DDF_LIMIT_MAX * piece)) {
            continue; /* more than it may take would be needed */
        }
        ddf_limit limit;
        ddf_limit_init(&limit, 0);
        double share = rate_of(&m, &limit, piece, reads) / best_of_fixed_depths(&m, piece, reads);
        if (share < 0.97) {
            fprintf(stderr, "model %zu, %.1f ms, %.0f MB/s, %.0f kB: %.3f of the best depth\n", i % 4, m.way / 1e6,
                    m.link * 1e3, (double)piece / 1e3, share);
        }
        assert(share >= 0.97);
    }
}

/* ---- how it goes about it ---- */

static void note(ddf_limit *limit, size_t reads, uint64_t bytes) {
    for (size_t i = 0; i < reads; i++) {
        ddf_limit_note_read(limit, limit->reads, bytes);
    }
}

static void a_given_depth_stays(void) {
    for (size_t depth = 1; depth < 2000; depth += 63) {
        ddf_limit limit;
        ddf_limit_init(&limit, depth);
        note(&limit, 10000, RANDOM);
        assert(limit.reads == depth);
        ddf_limit_back_off(&limit);
        assert(limit.reads == depth);
    }
}

static void small_reads_become_more(void) {
    ddf_limit limit;
    ddf_limit_init(&limit, 0);
    assert(limit.reads == DDF_LIMIT_START);
    note(&limit, DDF_LIMIT_START - 1, RANDOM);
    assert(limit.reads == DDF_LIMIT_START);
    note(&limit, 1, RANDOM);
    assert(limit.reads == 2 * DDF_LIMIT_START);
    note(&limit, 10000, RANDOM);
    assert(limit.reads == DDF_LIMIT_MAX);
}

static void in_flight_is_no_more_than_enough(void) {
    for (uint64_t bytes = 1000; bytes < (uint64_t)4 << 20; bytes += bytes / 7) {
        ddf_limit limit;
        ddf_limit_init(&limit, 0);
        note(&limit, 10000, bytes);
        assert(limit.reads == DDF_LIMIT_START || limit.reads * bytes < DDF_LIMIT_BYTES);
        assert(limit.reads == DDF_LIMIT_MAX || 2 * limit.reads * bytes >= DDF_LIMIT_BYTES);
    }
}

static void it_stays_while_the_consumer_is_what_is_slow(void) {
    ddf_limit limit;
    ddf_limit_init(&limit, 0);
    for (size_t i = 0; i < 10000; i++) {
        ddf_limit_note_read(&limit, DDF_LIMIT_START - 1, RANDOM);
    }
    assert(limit.reads == DDF_LIMIT_START);
}

static void each_failure_halves_it_for_a_while(void) {
    ddf_limit limit;
    ddf_limit_init(&limit, 0);
    ddf_limit_back_off(&limit);
    assert(limit.reads == DDF_LIMIT_START);
    note(&limit, 10000, RANDOM);
    ddf_limit_back_off(&limit);
    assert(limit.reads == DDF_LIMIT_MAX / 2);
    note(&limit, DDF_LIMIT_MAX / 2, RANDOM);
    assert(limit.reads == DDF_LIMIT_MAX);
}

int main(void) {
    it_is_as_fast_as_the_best_depth();
    a_given_depth_stays();
    small_reads_become_more();
    in_flight_is_no_more_than_enough();
    it_stays_while_the_consumer_is_what_is_slow();
    each_failure_halves_it_for_a_while();
    return 0;
}
