/* ddf_roundtrip: would a packed message be read back as what was packed? Pure, no allocation, thread safe.
 *
 * Two things can go wrong unnoticed. A map of the user's that holds the pairs of ddf_nd.h is read back as an array or a
 * number; and keys that are different objects, or hashable, when packed may be equal, or not hashable, when read. */
#ifndef DDF_ROUNDTRIP_H
#define DDF_ROUNDTRIP_H

#include "ddf_common.h"

/* Maps with more pairs are not compared here. */
#define DDF_ROUNDTRIP_MAX_PAIRS 64

/* Look through the only message in `[p, p + len)`. `encoded`: how many of its maps the packer itself made for arrays,
 * numpy scalars and complex numbers.
 * Returns 1 if all is well: no further map has the key b"nd" or b"complex", all keys are strings, binaries or integers,
 * and no two keys of a map are equal. Returns 0 where that is not certain and a closer look is needed, or DDF_E_* with
 * err->pos counting from `p` where the bytes are not one message. */
int ddf_roundtrip_is_exact(const uint8_t *p, size_t len, uint64_t encoded, ddf_err *err);

#endif
