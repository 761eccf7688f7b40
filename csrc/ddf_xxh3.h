/* ddf_xxh3: XXH3-64 with seed 0, the checksum of one sample. Pure, thread safe.
 *
 * The algorithm and its constants are those of the xxHash specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md,
 * version 0.2). */
#ifndef DDF_XXH3_H
#define DDF_XXH3_H

#include "ddf_common.h"

uint64_t ddf_xxh3(const uint8_t *data, size_t size);

#endif
