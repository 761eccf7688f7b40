/* ddf_offsets: the table of big-endian uint64 offsets with the position of each sample of a data file.
 *
 * A table of n samples has n + 1 entries: sample i is [entry i, entry i + 1), the first entry is 0 and the last the
 * size of the data file. The memory belongs to the caller (usually a mapped file), needs no alignment, and its
 * content is not trusted. Pure, no allocation, thread safe. */
#ifndef DDF_OFFSETS_H
#define DDF_OFFSETS_H

#include "ddf_common.h"

/* Check the first and the last of `entries` entries: two pages are enough to detect a damaged or foreign table.
 * Returns 0 or DDF_E_SPAN with err->item = the entry at fault and err->pos its byte position in the table. */
int ddf_offsets_check_ends(const uint8_t *table, uint64_t entries, uint64_t file_size, ddf_err *err);

/* Check every entry: the ends as above, and none is smaller than its predecessor. Returns as above. */
int ddf_offsets_validate(const uint8_t *table, uint64_t entries, uint64_t file_size, ddf_err *err);

/* Spans of `count` samples. Each one is checked separately: start <= stop <= file_size.
 * Returns 0, DDF_E_INDEX with err->item = position in `indices`, or DDF_E_SPAN with err->item = position in
 * `indices` and err->pos = byte position of the sample's first entry in the table. */
int ddf_offsets_spans(const uint8_t *table, uint64_t entries, const int64_t *indices, size_t count, uint64_t file_size,
                      ddf_span *out, ddf_err *err);

/* Spans of the samples [first, first + count). Errors as above, with err->item counting from `first`. */
int ddf_offsets_range(const uint8_t *table, uint64_t entries, uint64_t first, size_t count, uint64_t file_size,
                      ddf_span *out, ddf_err *err);

#endif
