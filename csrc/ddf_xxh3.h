/* ddf_xxh3: XXH3-64 with seed 0, the checksum of one sample. Pure, thread safe.
 *
 * The algorithm and its constants are those of the xxHash specification (github.com/Cyan4973/xxHash,
 * doc/xxhash_spec.md, version 0.2). */
#ifndef DDF_XXH3_H
#define DDF_XXH3_H

#include "ddf_common.h"

uint64_t ddf_xxh3(const uint8_t *data, size_t size);

/* The checksum of one sample in `n` parts. */
uint64_t ddf_xxh3_joined(const ddf_slice *places, size_t n);

/* Compare such a sample with its checksum. Returns 0 or DDF_E_CHECKSUM. */
int ddf_xxh3_check(const ddf_slice *places, size_t n, uint64_t sum, ddf_err *err);

/* Checksums of `n` consecutive samples. Returns 0, or DDF_E_TRUNCATED with err->item = the first sample that ends
 * after the end of the data. */
int ddf_xxh3_parts(const uint8_t *data, uint64_t size, const uint64_t *sizes, size_t n, uint64_t *sums, ddf_err *err);

#endif
