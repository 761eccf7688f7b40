/* ddf_number: decimal text of JSON to double and int64, exactly. Pure, no allocation, thread safe, and independent of
 * the locale.
 *
 * A text ends with a byte that belongs to no number, and DDF_NUMBER_PADDING bytes after it can be read. */
#ifndef DDF_NUMBER_H
#define DDF_NUMBER_H

#include "ddf_common.h"

#define DDF_NUMBER_PADDING 16

typedef struct ddf_number {
    double value;    /* the double next to the text, as Python's float(text) */
    int64_t integer; /* if is_integer */
    int is_integer;  /* the text is an integer within int64, or `1.0` or `1e3` with an absolute value up to 2**53 */
} ddf_number;

/* Powers of ten up to 10**22, which doubles hold exactly, and up to 10**19 as integers. */
extern const double ddf_number_tens[23];
extern const uint64_t ddf_number_integer_tens[20];

/* Read the number at `p`: as JSON has it, or NaN, Infinity, -Infinity. Returns the first byte after it, or NULL with
 * `*wrong` the first byte that no number has there. */
const uint8_t *ddf_number_read(const uint8_t *p, ddf_number *out, const uint8_t **wrong);

/* Eight bytes, digits as their values, and how many of them are digits before the first other one. */
static inline uint64_t ddf_number_load(const uint8_t *p, unsigned *digits) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    word ^= 0x3030303030303030u;
    uint64_t other = ((word + 0x7676767676767676u) | word) & 0x8080808080808080u;
    *digits = other == 0 ? 8 : (unsigned)__builtin_ctzll(other) / 8;
    return word;
}

/* Value of the first 1 to 8 digits of a loaded word: pairs, fours, then all are added up in one multiplication each. */
static inline uint64_t ddf_number_value(uint64_t word, unsigned digits) {
    word <<= 64 - 8 * digits;
    word = (word * 2561) >> 8;
    word = ((word & 0x00ff00ff00ff00ffu) * 6553601) >> 16;
    return ((word & 0x0000ffff0000ffffu) * 42949672960001u) >> 32;
}

/* 1 if a number does not end before this byte. */
static inline int ddf_number_goes_on(uint8_t c) {
    return (uint8_t)(c - '0') < 10 || c == '.' || (c | 0x20) == 'e';
}

/* As ddf_number_read, for the value alone. Coordinates such as 473.07 take no loop and no unforeseeable branch. */
static inline const uint8_t *ddf_number_double(const uint8_t *p, double *out, const uint8_t **wrong) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    int negative = *p == '-';
    const uint8_t *q = p + negative;
    unsigned digits, fraction;
    uint64_t word = ddf_number_load(q, &digits);
    if (DDF_LIKELY(digits - 1 < 7 && (*q != '0' || digits == 1))) {
        uint64_t value = ddf_number_value(word, digits);
        double result = (double)value;
        q += digits;
        if (DDF_LIKELY(*q == '.')) {
            word = ddf_number_load(q + 1, &fraction);
            if (DDF_LIKELY(fraction != 0)) { /* at most 15 digits: below 2**53 */
                value = value * ddf_number_integer_tens[fraction] + ddf_number_value(word, fraction);
                result = (double)value / ddf_number_tens[fraction];
                q += 1 + fraction;
            }
        }
        if (DDF_LIKELY(!ddf_number_goes_on(*q))) {
            *out = negative ? -result : result;
            return q;
        }
    }
#endif
    ddf_number number;
    p = ddf_number_read(p, &number, wrong);
    *out = p == NULL ? 0 : number.value;
    return p;
}

#endif
