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

/* Eight bytes, digits as their values, and the high bits of those that are no digits: right up to the first one that is
 * not ASCII. */
static inline uint64_t ddf_number_load(const uint8_t *p, uint64_t *others) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    word ^= 0x3030303030303030u;
    *others = ((word + 0x7676767676767676u) | word) & 0x8080808080808080u;
    return word;
}

/* Bytes before the first of `others`. */
static inline unsigned ddf_number_count(uint64_t others) {
    return others == 0 ? 8 : (unsigned)__builtin_ctzll(others) / 8;
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

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* A number without sign and exponent of at most 15 digits, so that its digits are below 2**53. Returns the first byte
 * after it, or NULL for any other. Coordinates such as 473.07 take one look at eight bytes, no loop and no unforeseeable
 * branch. */
static inline const uint8_t *ddf_number_plain(const uint8_t *p, double *out) {
    uint64_t others, word = ddf_number_load(p, &others), later = others & (others - 1);
    unsigned digits = ddf_number_count(others);
    if (DDF_UNLIKELY(digits - 1 >= 7 || (*p == '0' && digits > 1))) {
        return NULL;
    }
    const uint8_t *end = p + digits;
    if (*end != '.') {
        *out = (double)ddf_number_value(word, digits);
        return DDF_LIKELY(!ddf_number_goes_on(*end)) ? end : NULL;
    }
    uint64_t value;
    unsigned fraction;
    if (DDF_LIKELY(later != 0)) { /* it ends in this word: close the gap that the point leaves */
        uint64_t before = ((uint64_t)1 << (8 * digits)) - 1;
        fraction = ddf_number_count(later) - digits - 1;
        value = ddf_number_value((word & before) | (word >> 8 & ~before), digits + fraction);
    } else {
        uint64_t next = ddf_number_load(end + 1, &others);
        fraction = ddf_number_count(others);
        value = ddf_number_value(word, digits) * ddf_number_integer_tens[fraction];
        value += fraction == 0 ? 0 : ddf_number_value(next, fraction);
    }
    end += 1 + fraction;
    *out = (double)value / ddf_number_tens[fraction];
    return DDF_LIKELY(fraction != 0 && !ddf_number_goes_on(*end)) ? end : NULL;
}
#endif

/* As ddf_number_read, for the value alone. */
static inline const uint8_t *ddf_number_double(const uint8_t *p, double *out, const uint8_t **wrong) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    int negative = *p == '-';
    double value;
    const uint8_t *end = ddf_number_plain(p + negative, &value);
    if (DDF_LIKELY(end != NULL)) {
        *out = negative ? -value : value;
        return end;
    }
#endif
    ddf_number number;
    p = ddf_number_read(p, &number, wrong);
    *out = p == NULL ? 0 : number.value;
    return p;
}

#endif
