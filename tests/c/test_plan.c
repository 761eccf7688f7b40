#include <assert.h>
#include <stdlib.h>

#include "ddf_plan.h"

#define N 500

static uint64_t state = 1;

static uint64_t random_below(uint64_t bound) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % bound;
}

static ddf_span spans[N];
static ddf_read reads[N];
static uint64_t landing[N];
static ddf_plan_item scratch[2 * N];
static int overlaps;

static void any_spans_land_inside_their_reads(void) {
    for (int round = 0; round < 2000; round++) {
        size_t n = (size_t)random_below(N);
        uint64_t range = (uint64_t)1 << random_below(48), gap = random_below(2) ? random_below(5000) : 0, total;
        uint64_t align = random_below(2) ? DDF_LANDING_ALIGN : 4096;
        for (size_t i = 0; i < n; i++) {
            spans[i].start = (random_below((uint64_t)1 << 30) << 18 | random_below(1 << 18)) % range;
            spans[i].stop = spans[i].start + random_below(3) * random_below(2000);
        }
        const ddf_plan_item *sorted;
        int64_t count = ddf_plan_reads(spans, n, gap, align, reads, landing, &total, scratch, &sorted, &overlaps, NULL);
        for (size_t i = 0; i < n; i++) {
            size_t before = i - (i > 0);
            assert(spans[sorted == NULL ? before : sorted[before].number].start <=
                   spans[sorted == NULL ? i : sorted[i].number].start);
        }
        assert(count >= 0 && (size_t)count <= n && total % align == 0);
        for (int64_t r = 0; r < count; r++) {
            assert(reads[r].at + reads[r].length <= total && (reads[r].at - reads[r].offset) % align == 0);
            assert(r == 0 || (reads[r].offset > reads[r - 1].offset + reads[r - 1].length + gap &&
                              reads[r].at - reads[r].at % align >= reads[r - 1].at + reads[r - 1].length));
        }
        for (size_t i = 0; i < n; i++) {
            int found = 0;
            for (int64_t r = 0; r < count && !found; r++) {
                found = spans[i].start >= reads[r].offset && spans[i].stop <= reads[r].offset + reads[r].length &&
                        landing[i] - reads[r].at == spans[i].start - reads[r].offset;
            }
            assert(found);
        }
    }
}

static void pieces_cover_their_reads(void) {
    ddf_read two[] = {{100, 0, 0}, {1000, 10, 40}, {UINT64_MAX - 10, 10, 54}};
    ddf_read pieces[64];
    for (uint64_t most = 1; most < 12; most++) {
        size_t count = ddf_plan_cut(two, 3, most, NULL, 0, pieces);
        assert(count == 2 * ((10 + most - 1) / most) && count == ddf_plan_cut(two, 3, most, NULL, 0, NULL));
        for (size_t i = 0; i < count; i++) {
            assert(pieces[i].length >= 1 && pieces[i].length <= most);
            uint64_t shift = pieces[i].offset < 2000 ? 960 : UINT64_MAX - 64;
            assert(pieces[i].offset - pieces[i].at == shift);
        }
    }
    assert(ddf_plan_cut(two + 1, 1, UINT64_MAX, NULL, 0, pieces) == 1);
}

static void pieces_end_where_samples_do(void) {
    ddf_read two[] = {{1000, 30, 0}, {2000, 30, 64}};
    uint64_t ends[] = {3, 8, 8, 28, 30, 70, 94}, lengths[] = {8, 10, 10, 2, 6, 10, 10, 4};
    ddf_read pieces[8];
    assert(ddf_plan_cut(two, 2, 10, ends, 7, NULL) == 8 && ddf_plan_cut(two, 2, 10, ends, 7, pieces) == 8);
    for (size_t i = 0; i < 8; i++) {
        assert(pieces[i].length == lengths[i]);
    }
    assert(ddf_plan_cut(two, 2, 30, ends, 7, pieces) == 2);
}

static void the_first_bad_span_is_named(void) {
    ddf_span bad[] = {{0, 5}, {3, 2}, {9, 1}};
    ddf_err err;
    uint64_t total;
    const ddf_plan_item *sorted;
    assert(ddf_plan_reads(bad, 3, 0, DDF_LANDING_ALIGN, reads, landing, &total, scratch, &sorted, &overlaps, &err) == DDF_E_SPAN && err.item == 1);
    ddf_span largest[] = {{0, INT64_MAX}, {0, 1 + (uint64_t)INT64_MAX}};
    assert(ddf_plan_reads(largest, 1, 0, 4096, reads, landing, &total, scratch, &sorted, &overlaps, &err) == 1 && total >= INT64_MAX);
    assert(ddf_plan_reads(largest, 2, 0, 4096, reads, landing, &total, scratch, &sorted, &overlaps, &err) == DDF_E_SPAN && err.item == 1);
}

static int do_overlap(ddf_span one, ddf_span other, ddf_span third) {
    ddf_span three[] = {one, other, third};
    uint64_t total;
    const ddf_plan_item *sorted;
    overlaps = -1;
    assert(ddf_plan_reads(three, 3, 100, DDF_LANDING_ALIGN, reads, landing, &total, scratch, &sorted, &overlaps, NULL) >= 0);
    return overlaps;
}

static void overlaps_are_noticed(void) {
    assert(do_overlap((ddf_span){0, 5}, (ddf_span){5, 5}, (ddf_span){5, 9}) == 0);
    assert(do_overlap((ddf_span){0, 5}, (ddf_span){5, 9}, (ddf_span){6, 6}) == 1);
    assert(do_overlap((ddf_span){20, 25}, (ddf_span){5, 9}, (ddf_span){0, 5}) == 0);
    assert(do_overlap((ddf_span){20, 25}, (ddf_span){5, 9}, (ddf_span){8, 10}) == 1);
    assert(do_overlap((ddf_span){0, 25}, (ddf_span){5, 9}, (ddf_span){25, 30}) == 1);
    assert(do_overlap((ddf_span){0, 5}, (ddf_span){9, 12}, (ddf_span){0, 5}) == 1);
}

int main(void) {
    overlaps_are_noticed();
    any_spans_land_inside_their_reads();
    pieces_cover_their_reads();
    pieces_end_where_samples_do();
    the_first_bad_span_is_named();
    return 0;
}
