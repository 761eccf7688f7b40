/* ddf_number_text: numbers to the shortest decimal text that is read back as the same number. Pure, no allocation,
 * thread safe, and independent of the locale. */
#ifndef DDF_NUMBER_TEXT_H
#define DDF_NUMBER_TEXT_H

#include "ddf_common.h"

/* No number has a longer text. */
#define DDF_NUMBER_TEXT 32

/* Write `value` as Python's repr and json do; `12` in place of `12.0` if `is_short`. `out` holds DDF_NUMBER_TEXT bytes.
 * Returns the number of bytes. */
size_t ddf_number_write(double value, int is_short, uint8_t *out);
size_t ddf_integer_write(int64_t value, uint8_t *out);

#endif
