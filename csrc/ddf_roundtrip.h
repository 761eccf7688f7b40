/* ddf_roundtrip: whether a packed message is read back as what was packed. Pure, no allocation, thread safe.
 *
 * Two things can go wrong unnoticed. A map of the user that has the pairs of ddf_nd.h is read back as an array or a
 * number; and keys that are different or hashable when packed may be equal or not hashable when read. */
#ifndef DDF_ROUNDTRIP_H
#define DDF_ROUNDTRIP_H

#include "ddf_common.h"

/* Maps with more pairs are not compared here. */
#define DDF_ROUNDTRIP_MAX_PAIRS 64

/* Check the only message in `[p, p + len)`. `encoded`: number of its maps that the packer made for arrays, numpy
 * scalars and complex numbers.
 * Returns 1 if it is read back unchanged: no further map has the key b"nd" or b"complex", all keys are strings,
 * binaries or integers, and no two keys of a map are equal. Returns 0 if that is not certain and a closer check is
 * needed, or DDF_E_* with err->pos counting from `p` if the bytes are not one message. */
int ddf_roundtrip_is_exact(const uint8_t *p, size_t len, uint64_t encoded, ddf_err *err);

#endif
