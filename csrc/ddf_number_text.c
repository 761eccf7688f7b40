#include "ddf_number_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ddf_number.h"

/* Doubles have up to 17 significant digits; of up to 15 digits, no two numbers are the same double. */
#define MOST_DIGITS 17
#define UNIQUE_DIGITS 15

/* Smaller doubles have fewer digits. */
#define SMALLEST_NORMAL 0x1p-1022

__extension__ typedef unsigned __int128 uint128;

/* `digits * 10**exponent`. */
typedef struct decimal {
    uint64_t digits;
    int exponent;
} decimal;

static const char PAIRS[201] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                               "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                               "8081828384858687888990919293949596979899";

/* Write the last `count` digits of `value`. */
static void put_digits(uint64_t value, int count, uint8_t *out) {
    while (count >= 2) {
        count -= 2;
        memcpy(out + count, PAIRS + 2 * (value % 100), 2);
        value /= 100;
    }
    if (count > 0) {
        *out = (uint8_t)('0' + value % 10);
    }
}

static int count_digits(uint64_t value) {
    int count = 1;
    while (count < 20 && value >= ddf_number_integer_tens[count]) {
        count++;
    }
    return count;
}

static uint8_t *put_unsigned(uint64_t value, uint8_t *out) {
    int count = count_digits(value);
    put_digits(value, count, out);
    return out + count;
}

static decimal without_zeros(decimal number) {
    while (number.digits != 0 && number.digits % 10 == 0) {
        number.digits /= 10;
        number.exponent++;
    }
    return number;
}

/* Write digits with `decimals` of them, 1 to 17, after the point. */
static uint8_t *put_fixed(uint64_t digits, int decimals, uint8_t *out) {
    uint64_t ten = ddf_number_integer_tens[decimals];
    out = put_unsigned(digits / ten, out);
    *out++ = '.';
    put_digits(digits % ten, decimals, out);
    return out + decimals;
}

static uint8_t *put_scientific(decimal number, int count, int exponent, uint8_t *out) {
    if (count == 1) {
        *out++ = (uint8_t)('0' + number.digits);
    } else {
        out = put_fixed(number.digits, count - 1, out);
    }
    int size = snprintf((char *)out, 8, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
    return out + size;
}

static uint8_t *put_zero(int is_short, uint8_t *out) {
    memcpy(out, ".0", 2);
    return is_short ? out : out + 2;
}

/* Write an integer and millionths, without the zeros at their end. */
static uint8_t *put_millionths(uint64_t whole, uint64_t millionths, int is_short, uint8_t *out) {
    out = put_unsigned(whole, out);
    int decimals = 6;
    if (millionths == 0) {
        return put_zero(is_short, out);
    }
    if (millionths % 10000 == 0) {
        millionths /= 10000;
        decimals = 2;
    } else if (millionths % 100 == 0) {
        millionths /= 100;
        decimals = 4;
    }
    if (millionths % 10 == 0) {
        millionths /= 10;
        decimals--;
    }
    *out++ = '.';
    put_digits(millionths, decimals, out);
    return out + decimals;
}

/* Write a number without zeros at its end, as repr does: with an exponent from 1e16 on, and below 1e-4. */
static uint8_t *put_decimal(decimal number, int is_short, uint8_t *out) {
    int count = count_digits(number.digits), exponent = number.exponent + count - 1;
    if (exponent < -4 || exponent >= 16) {
        return put_scientific(number, count, exponent, out);
    }
    if (number.exponent < 0 && exponent >= 0) {
        return put_fixed(number.digits, -number.exponent, out);
    }
    if (number.exponent < 0) {
        memcpy(out, "0.000", 5);
        out += 1 - exponent;
        put_digits(number.digits, count, out);
        return out + count;
    }
    return put_zero(is_short, put_unsigned(number.digits * ddf_number_integer_tens[number.exponent], out));
}

/* The shortest number of those that are read as `mantissa * 2**-shift`, and of equally short ones the next. The value is
 * from 1e-4 to below 2**53, and no integer. All is exact, in quarters of `2**-shift`. */
static decimal shortest(double value, uint64_t mantissa, int shift) {
    int tens = MOST_DIGITS - (value < 1 ? 0 : count_digits((uint64_t)value));
    for (double small = value; small < 0.1; small *= 10) {
        tens++;
    }
    uint128 scale = ddf_number_integer_tens[tens > 19 ? 19 : tens];
    for (int i = 19; i < tens; i++) {
        scale *= 10;
    }
    uint128 number = 4 * (scale * mantissa), above = 2 * scale;
    uint128 below = mantissa == (uint64_t)1 << 52 ? scale : above; /* doubles below a power of two lie closer */
    int is_even = (mantissa & 1) == 0;                             /* and is read from the bounds too */
    decimal best = {0, -tens};
    uint64_t step = 1;
    for (int zeros = 0;; zeros++, step *= 10) {
        uint128 unit = (uint128)step << (shift + 2);
        uint64_t down = (uint64_t)(number / unit);
        uint128 rest = number - down * unit, more = unit - rest;
        int fits_down = rest < below || (is_even && rest == below);
        int fits_up = more < above || (is_even && more == above);
        if (!fits_down && !fits_up) {
            return best;
        }
        int is_up = !fits_down || (fits_up && (more < rest || (more == rest && (down & 1))));
        best = (decimal){down + (uint64_t)is_up, zeros - tens};
    }
}

static double read_back(decimal number) {
    char text[64] = {0};
    ddf_number out;
    const uint8_t *wrong;
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)number.digits, number.exponent);
    ddf_number_read((const uint8_t *)text, &out, &wrong);
    return out.value;
}

/* A positive value with `count` digits. Which character the C library writes as the point depends on the locale. */
static decimal with_digits(double value, int count) {
    char text[64];
    decimal number = {0};
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    const char *end = strchr(text, 'e');
    for (const char *p = text; p < end; p++) {
        if (*p >= '0' && *p <= '9') {
            number.digits = 10 * number.digits + (uint64_t)(*p - '0');
        }
    }
    number.exponent = (int)strtol(end + 1, NULL, 10) - (count - 1);
    return number;
}

/* As `shortest`, for any positive value. */
static decimal tried(double value) {
    for (int count = value < SMALLEST_NORMAL ? 1 : UNIQUE_DIGITS; count < MOST_DIGITS; count++) {
        decimal number = with_digits(value, count);
        if (read_back(number) == value) {
            return number;
        }
        number.digits++; /* doubles above a power of two lie farther apart */
        if (read_back(number) == value) {
            return number;
        }
    }
    return with_digits(value, MOST_DIGITS);
}

/* A positive finite value. */
static decimal to_decimal(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value < 1e16 && value == floor(value)) {
        return without_zeros((decimal){(uint64_t)value, 0});
    }
    if (value >= 1e-4 && value < 1e16) {
        uint64_t mantissa = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
        return shortest(value, mantissa, 1075 - (int)(bits >> 52));
    }
    return without_zeros(tried(value));
}

static size_t put_name(const char *name, uint8_t *start, uint8_t *out) {
    size_t size = strlen(name);
    memcpy(out, name, size);
    return (size_t)(out - start) + size;
}

size_t ddf_number_write(double value, int is_short, uint8_t *out) {
    uint8_t *start = out;
    if (isnan(value)) {
        return put_name("NaN", start, out);
    }
    if (signbit(value)) {
        *out++ = '-';
        value = -value;
    }
    if (DDF_LIKELY(value < 1e9 && value >= 1e-4)) { /* six decimals are enough for most, and at most 15 digits */
        int64_t digits = (int64_t)(value * 1e6 + 0.5);
        if (DDF_LIKELY((double)digits / 1e6 == value)) {
            out = put_millionths((uint64_t)digits / 1000000, (uint64_t)digits % 1000000, is_short, out);
            return (size_t)(out - start);
        }
    }
    if (value == 0) {
        return put_name(is_short ? "0" : "0.0", start, out);
    }
    if (isinf(value)) {
        return put_name("Infinity", start, out);
    }
    return (size_t)(put_decimal(to_decimal(value), is_short, out) - start);
}

size_t ddf_integer_write(int64_t value, uint8_t *out) {
    uint8_t *start = out;
    uint64_t digits = (uint64_t)value;
    if (value < 0) {
        *out++ = '-';
        digits = 0 - digits;
    }
    return (size_t)(put_unsigned(digits, out) - start);
}
