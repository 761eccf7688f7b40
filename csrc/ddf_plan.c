#include "ddf_plan.h"

#define PAGE ((uint64_t)4096)

/* Stable radix sort by start, a byte at a time; bytes that all items share cost one counting pass only.
 * `items` and `spare` hold n each. Returns whichever of the two ends up sorted. */
static ddf_plan_item *sort_by_start(ddf_plan_item *items, ddf_plan_item *spare, size_t n) {
    uint64_t all_or = 0, all_and = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        all_or |= items[i].start;
        all_and &= items[i].start;
    }
    uint64_t varying = all_or ^ all_and;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (((varying >> shift) & 0xff) == 0) {
            continue;
        }
        size_t at[257] = {0};
        for (size_t i = 0; i < n; i++) {
            at[((items[i].start >> shift) & 0xff) + 1]++;
        }
        for (size_t b = 0; b < 256; b++) {
            at[b + 1] += at[b];
        }
        for (size_t i = 0; i < n; i++) {
            spare[at[(items[i].start >> shift) & 0xff]++] = items[i];
        }
        ddf_plan_item *swap = items;
        items = spare;
        spare = swap;
    }
    return items;
}

/* The read that is being put together, and where it ends in the file. */
typedef struct run {
    ddf_read *reads;
    size_t n;
    uint64_t stop, filled, max_gap, align;
} run;

static uint64_t whole(uint64_t size, uint64_t align) { return (size + align - 1) & ~(align - 1); }

static uint64_t add_span(run *r, ddf_span span) {
    if (r->n == 0 || (span.start > r->stop && span.start - r->stop > r->max_gap)) {
        uint64_t at = whole(r->filled, r->align) + (span.start & (r->align - 1));
        r->reads[r->n++] = (ddf_read){span.start, 0, at};
        r->stop = span.start;
        r->filled = at;
    }
    ddf_read *read = &r->reads[r->n - 1];
    if (span.stop > r->stop) {
        r->stop = span.stop;
        read->length = span.stop - read->offset;
        r->filled = read->at + read->length;
    }
    return read->at + (span.start - read->offset);
}

static int are_in_order(const ddf_span *spans, size_t n) {
    for (size_t i = 1; i < n; i++) {
        if (spans[i].start < spans[i - 1].start) {
            return 0;
        }
    }
    return 1;
}

int64_t ddf_plan_reads(const ddf_span *spans, size_t n, uint64_t max_gap, uint64_t align, ddf_read *reads,
                       uint64_t *landing, uint64_t *total, ddf_plan_item *scratch, const ddf_plan_item **sorted,
                       int *overlaps, ddf_err *err) {
    int disjoint = 1; /* and in order */
    for (size_t i = 0; i < n; i++) {
        if (DDF_UNLIKELY(spans[i].stop < spans[i].start)) {
            return ddf_fail(err, DDF_E_SPAN, "a span ends before it starts", i, 0);
        }
        disjoint &= i == 0 || spans[i].start >= spans[i - 1].stop;
    }
    run r = {reads, 0, 0, 0, max_gap, align};
    *sorted = NULL;
    *overlaps = !disjoint;
    if (disjoint || are_in_order(spans, n)) {
        for (size_t i = 0; i < n; i++) {
            landing[i] = add_span(&r, spans[i]);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            scratch[i] = (ddf_plan_item){spans[i].start, i};
        }
        const ddf_plan_item *items = *sorted = sort_by_start(scratch, scratch + n, n);
        *overlaps = 0;
        for (size_t i = 0; i < n; i++) {
            *overlaps |= items[i].start < r.stop;
            landing[items[i].number] = add_span(&r, spans[items[i].number]);
        }
    }
    for (size_t i = 0; r.stop > INT64_MAX; i++) { /* the largest; below that, no sum has overflowed */
        if (spans[i].stop > INT64_MAX) {
            return ddf_fail(err, DDF_E_SPAN, "a span ends after the end of the largest possible file", i, 0);
        }
    }
    *total = whole(r.filled, align);
    return (int64_t)r.n;
}

/* Bytes of a piece of a read of which `left` are left from `offset` on. */
static uint64_t piece_length(uint64_t offset, uint64_t left, uint64_t max_read) {
    uint64_t past = max_read < 2 * PAGE ? 0 : offset % PAGE;
    return left <= max_read ? left : max_read - past;
}

size_t ddf_plan_cut(const ddf_read *reads, size_t n, uint64_t max_read, const uint64_t *ends, size_t n_ends,
                    ddf_read *pieces) {
    size_t count = 0, k = 0;
    for (size_t i = 0; i < n; i++) {
        for (uint64_t done = 0; done < reads[i].length;) {
            uint64_t left = reads[i].length - done, at = reads[i].at + done;
            uint64_t length = piece_length(reads[i].offset + done, left, max_read);
            uint64_t end = at + length;
            while (length < left && k < n_ends && ends[k] <= at + length) {
                end = ends[k] > at ? ends[k] : end;
                k++;
            }
            if (pieces != NULL) {
                pieces[count] = (ddf_read){reads[i].offset + done, end - at, at};
            }
            count++;
            done += end - at;
        }
    }
    return count;
}
