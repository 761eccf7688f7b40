#include "ddf_offsets.h"

static uint64_t entry_at(const uint8_t *table, uint64_t i) { return ddf_load64(table + 8 * i); }

static int fail_entry(ddf_err *err, const char *msg, uint64_t entry) {
    return ddf_fail(err, DDF_E_SPAN, msg, entry, 8 * entry);
}

int ddf_offsets_check_ends(const uint8_t *table, uint64_t entries, uint64_t file_size, ddf_err *err) {
    if (entries == 0) {
        return fail_entry(err, "the offset table is empty", 0);
    }
    if (entry_at(table, 0) != 0) {
        return fail_entry(err, "the first offset is not 0", 0);
    }
    if (entry_at(table, entries - 1) != file_size) {
        return fail_entry(err, "the last offset is not the size of the data file", entries - 1);
    }
    return DDF_OK;
}

/* Entries checked by one pass without branches, so that compilers turn it into vector code. */
#define RUN 512

static int falls(const uint8_t *table, uint64_t count) {
    int found = 0;
    for (uint64_t i = 0; i < count; i++) {
        found |= entry_at(table, i) > entry_at(table, i + 1);
    }
    return found;
}

int ddf_offsets_validate(const uint8_t *table, uint64_t entries, uint64_t file_size, ddf_err *err) {
    int status = ddf_offsets_check_ends(table, entries, file_size, err);
    if (status < 0) {
        return status;
    }
    for (uint64_t at = 0; at < entries - 1; at += RUN) {
        uint64_t count = entries - 1 - at < RUN ? entries - 1 - at : RUN;
        if (DDF_LIKELY(!falls(table + 8 * at, count))) {
            continue;
        }
        while (entry_at(table, at) <= entry_at(table, at + 1)) {
            at++;
        }
        return fail_entry(err, "an offset is smaller than its predecessor", at + 1);
    }
    return DDF_OK;
}

static int fail_span(const uint8_t *table, uint64_t sample, uint64_t item, ddf_err *err) {
    const char *msg = entry_at(table, sample) > entry_at(table, sample + 1)
                          ? "the sample ends before it starts"
                          : "the sample ends beyond the end of the data file";
    return ddf_fail(err, DDF_E_SPAN, msg, item, 8 * sample);
}

int ddf_offsets_spans(const uint8_t *table, uint64_t entries, const int64_t *indices, size_t count, uint64_t file_size,
                      ddf_span *out, ddf_err *err) {
    uint64_t n = entries == 0 ? 0 : entries - 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t sample = (uint64_t)indices[i]; /* a negative index is beyond any table */
        if (DDF_UNLIKELY(sample >= n)) {
            return ddf_fail(err, DDF_E_INDEX, "the dataset has no sample of this index", i, 0);
        }
        out[i].start = entry_at(table, sample);
        out[i].stop = entry_at(table, sample + 1);
        if (DDF_UNLIKELY(out[i].start > out[i].stop || out[i].stop > file_size)) {
            return fail_span(table, sample, i, err);
        }
    }
    return DDF_OK;
}

int ddf_offsets_range(const uint8_t *table, uint64_t entries, uint64_t first, size_t count, uint64_t file_size,
                      ddf_span *out, ddf_err *err) {
    uint64_t n = entries == 0 ? 0 : entries - 1;
    if (first > n || count > n - first) {
        uint64_t item = first > n ? 0 : n - first;
        return ddf_fail(err, DDF_E_INDEX, "the dataset has no sample of this index", item, 0);
    }
    const uint8_t *p = table + 8 * first;
    int bad = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t start = entry_at(p, i), stop = entry_at(p, i + 1);
        out[i].start = start;
        out[i].stop = stop;
        bad |= (start > stop) | (stop > file_size);
    }
    if (DDF_UNLIKELY(bad)) {
        for (size_t i = 0; i < count; i++) {
            if (out[i].start > out[i].stop || out[i].stop > file_size) {
                return fail_span(table, first + i, i, err);
            }
        }
    }
    return DDF_OK;
}
