/* ddf_payload: the long binary that most of a large sample consists of (an encoded image, a recording). Pure, thread
 * safe.
 *
 * A reader that knows the position of the payload reads it directly to its destination. */
#ifndef DDF_PAYLOAD_H
#define DDF_PAYLOAD_H

#include "ddf_common.h"

/* Find the longest binary among the direct values of the message `[p, p + len)`, if that is a map. Returns 1 with its
 * payload at `[*at, *at + *size)`, or 0 if there is none. Maps with keys that are not strings have none. */
int ddf_payload_find(const uint8_t *p, size_t len, size_t *at, size_t *size);

/* 1 if `[at, at + size)` is the payload of a binary among the direct values of the map at `p`. Does not depend on
 * bytes from `at` on, so the payload need not be there; all `len` bytes must be memory that may be read. */
int ddf_payload_matches(const uint8_t *p, size_t len, size_t at, size_t size);

#endif
