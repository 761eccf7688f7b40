/* Offset tables of any bytes: what they give is what reading them entry by entry gives, and what is planned from it stays
 * inside the file and the destination. */
#include <stdlib.h>

#include "ddf_offsets.h"
#include "ddf_plan.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MOST 256

/* The first entry that is wrong, or -1. */
static int64_t first_wrong(const uint64_t *entries, uint64_t n, uint64_t file_size) {
    if (n == 0 || entries[0] != 0) {
        return 0;
    }
    if (entries[n - 1] != file_size) {
        return (int64_t)n - 1;
    }
    for (uint64_t i = 1; i < n; i++) {
        if (entries[i] < entries[i - 1]) {
            return (int64_t)i;
        }
    }
    return -1;
}

static void validated(const uint8_t *table, const uint64_t *entries, uint64_t n, uint64_t file_size) {
    ddf_err err = {0};
    int64_t wrong = first_wrong(entries, n, file_size);
    int status = ddf_offsets_validate(table, n, file_size, &err);
    REQUIRE(status == (wrong < 0 ? DDF_OK : DDF_E_SPAN));
    REQUIRE(wrong < 0 || (err.item == (uint64_t)wrong && err.pos == 8 * (uint64_t)wrong));
    int ends_fit = n > 0 && entries[0] == 0 && entries[n - 1] == file_size;
    REQUIRE((ddf_offsets_check_ends(table, n, file_size, &err) == DDF_OK) == ends_fit);
}

/* Spans of all samples that have one; those of a bad one are refused, one by one as well as among others. */
static size_t spans_of(const uint8_t *table, const uint64_t *entries, uint64_t n, uint64_t file_size, ddf_span *out) {
    size_t good = 0;
    for (uint64_t i = 0; i + 1 < n; i++) {
        int64_t index = (int64_t)i;
        ddf_span one, again;
        ddf_err err = {0};
        int status = ddf_offsets_spans(table, n, &index, 1, file_size, &one, &err);
        int is_good = entries[i] <= entries[i + 1] && entries[i + 1] <= file_size;
        REQUIRE(status == (is_good ? DDF_OK : DDF_E_SPAN));
        REQUIRE(ddf_offsets_range(table, n, i, 1, file_size, &again, &err) == status);
        if (is_good) {
            REQUIRE(one.start == entries[i] && one.stop == entries[i + 1]);
            REQUIRE(again.start == one.start && again.stop == one.stop);
            out[good++] = one;
        } else {
            REQUIRE(err.item == 0 && err.pos == 8 * i);
        }
    }
    int64_t outside[] = {-1, n == 0 ? 0 : (int64_t)n - 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        ddf_err err = {0};
        ddf_span span;
        REQUIRE(ddf_offsets_spans(table, n, &outside[i], 1, file_size, &span, &err) == DDF_E_INDEX && err.item == 0);
    }
    return good;
}

/* Whether a span begins before the end of one that begins earlier, or at the same position. */
static int any_overlap(const ddf_span *spans, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            int is_first = spans[j].start < spans[i].start || (spans[j].start == spans[i].start && j < i);
            if (is_first && spans[i].start < spans[j].stop) {
                return 1;
            }
        }
    }
    return 0;
}

static void planned(const ddf_span *spans, size_t n, uint64_t gap, uint64_t most) {
    ddf_read reads[MOST];
    uint64_t landing[MOST], ends[MOST], total, end = 0, read = 0;
    ddf_plan_item scratch[2 * MOST];
    const ddf_plan_item *sorted;
    int overlaps = 0;
    int64_t n_reads = ddf_plan_reads(spans, n, gap, DDF_LANDING_ALIGN, reads, landing, &total, scratch, &sorted, &overlaps,
                                     NULL);
    for (size_t i = 0; i < n; i++) {
        if (spans[i].stop > INT64_MAX) {
            REQUIRE(n_reads == DDF_E_SPAN);
            return;
        }
    }
    REQUIRE(n_reads >= 0 && (size_t)n_reads <= n);
    for (size_t k = 0; k < n; k++) {
        size_t i = sorted == NULL ? k : (size_t)sorted[k].number;
        uint64_t own = landing[i] + (spans[i].stop - spans[i].start);
        REQUIRE(own >= landing[i] && own <= total);
        end = ends[k] = own > end ? own : end;
    }
    REQUIRE(overlaps == any_overlap(spans, n));
    for (int64_t i = 0; i < n_reads; i++) {
        read += reads[i].length;
    }
    if (read / most > 4 * MOST) {
        return; /* more pieces than are worth the time */
    }
    size_t count = ddf_plan_cut(reads, (size_t)n_reads, most, ends, n, NULL);
    ddf_read *pieces = malloc((count + 1) * sizeof *pieces);
    REQUIRE(pieces != NULL && ddf_plan_cut(reads, (size_t)n_reads, most, ends, n, pieces) == count);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(pieces[i].length >= 1 && pieces[i].length <= most && pieces[i].at + pieces[i].length <= total);
        read -= pieces[i].length;
    }
    REQUIRE(read == 0);
    free(pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 3 bytes that choose, then the table. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t entries[MOST], n = size < 3 ? 0 : (size - 3) / 8;
    ddf_span spans[MOST];
    if (size < 3 || n > MOST) {
        return 0;
    }
    uint8_t *table = malloc(8 * n + 1); /* not aligned, and no byte longer than it has to be */
    REQUIRE(table != NULL);
    memcpy(table + 1, data + 3, 8 * n);
    for (uint64_t i = 0; i < n; i++) {
        entries[i] = ddf_load64(table + 1 + 8 * i);
    }
    uint64_t file_size = data[0] & 1 || n == 0 ? (uint64_t)data[0] << (data[1] & 63) : entries[n - 1];
    validated(table + 1, entries, n, file_size);
    size_t good = spans_of(table + 1, entries, n, file_size, spans);
    planned(spans, good, (uint64_t)data[1] << (data[0] & 31), 1 + ((uint64_t)data[2] << (data[1] & 31)));
    free(table);
    return 0;
}
