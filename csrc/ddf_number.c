#include "ddf_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* No more digits decide which double is next to a text; of those that follow it matters only whether all are 0. */
#define DIGITS 780

/* Exponents beyond give 0 or infinity. */
#define EXPONENT_LIMIT 100000

__extension__ typedef unsigned __int128 uint128;

const double ddf_number_tens[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

const uint64_t ddf_number_integer_tens[20] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

/* A number's text, split. */
typedef struct parts {
    const uint8_t *digits, *end; /* of the mantissa, which may contain a point */
    int64_t exponent;            /* of the last digit of the mantissa */
    int negative;
    int is_plain;                /* neither point nor exponent */
} parts;

static int is_digit(uint8_t c) {
    return (uint8_t)(c - '0') < 10;
}

static const uint8_t *digits_end(const uint8_t *p) {
    while (is_digit(*p)) {
        p++;
    }
    return p;
}

/* Split the text at `p`. Returns its end, or NULL with `*wrong` set. */
static const uint8_t *split(const uint8_t *p, parts *out, const uint8_t **wrong) {
    *out = (parts){.negative = *p == '-', .is_plain = 1};
    p += out->negative;
    out->digits = p;
    const uint8_t *q = *p == '0' ? p + 1 : digits_end(p);
    if (q == p || is_digit(*q)) {
        *wrong = q;
        return NULL;
    }
    if (*q == '.') {
        out->is_plain = 0;
        p = q + 1;
        q = digits_end(p);
        out->exponent = -(q - p);
        if (q == p) {
            *wrong = q;
            return NULL;
        }
    }
    out->end = q;
    if ((*q | 0x20) == 'e') {
        out->is_plain = 0;
        q++;
        int negative = *q == '-';
        q += *q == '-' || *q == '+';
        if (!is_digit(*q)) {
            *wrong = q;
            return NULL;
        }
        int64_t exponent = 0;
        for (; is_digit(*q); q++) {
            exponent = exponent < INT64_MAX / 100 ? 10 * exponent + (*q - '0') : exponent;
        }
        out->exponent += negative ? -exponent : exponent;
    }
    return q;
}

/* The first 19 significant digits of a mantissa as an integer. `*dropped` digits follow; `*exact` if all are 0. */
static uint64_t leading_digits(const parts *number, int64_t *dropped, int *exact) {
    uint64_t value = 0;
    int count = 0;
    *dropped = 0;
    *exact = 1;
    for (const uint8_t *p = number->digits; p < number->end; p++) {
        if (*p == '.') {
            continue;
        }
        if (count < 19) {
            value = 10 * value + (uint64_t)(*p - '0');
            count += value != 0;
        } else {
            ++*dropped;
            *exact &= *p == '0';
        }
    }
    return value;
}

static double power_of_two(int exponent) {
    uint64_t bits = (uint64_t)(1023 + exponent) << 52;
    double result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* The double next to `value * 2**exponent`, of two equally near ones the even one; `sticky` if the number is a little
 * larger than that. The result is a normal double. */
static double round_to_double(uint64_t value, int sticky, int exponent) {
    int shift = 11 - __builtin_clzll(value);
    if (shift > 0) {
        uint64_t half = (uint64_t)1 << (shift - 1), rest = value & (2 * half - 1);
        value >>= shift;
        value += rest > half || (rest == half && (sticky || (value & 1)));
        exponent += shift;
    }
    return (double)value * power_of_two(exponent);
}

/* `mantissa / 10**tens`, or `mantissa * 10**tens`, for a mantissa that is not 0 and at most 19 tens: exact in 128 bits,
 * rounded once. */
static double divided(uint64_t mantissa, int tens) {
    uint64_t divisor = ddf_number_integer_tens[tens];
    int up = __builtin_clzll(mantissa), down = __builtin_clzll(divisor);
    uint128 dividend = (uint128)(mantissa << up) << 63;
    divisor <<= down;
    uint64_t quotient = (uint64_t)(dividend / divisor);
    return round_to_double(quotient, dividend % divisor != 0, down - up - 63);
}

static double multiplied(uint64_t mantissa, int tens) {
    uint128 product = (uint128)mantissa * ddf_number_integer_tens[tens];
    uint64_t high = (uint64_t)(product >> 64);
    if (high == 0) {
        return round_to_double((uint64_t)product, 0, 0);
    }
    int up = __builtin_clzll(high);
    product <<= up;
    return round_to_double((uint64_t)(product >> 64), (uint64_t)product != 0, 64 - up);
}

/* Any other number, by the C library. The text that it gets has no point: which character that is depends on the
 * locale. */
static double converted(const parts *number) {
    char text[DIGITS + 32];
    size_t count = 0;
    int64_t dropped = 0;
    int sticky = 0;
    for (const uint8_t *p = number->digits; p < number->end; p++) {
        if (*p == '.' || (count == 0 && *p == '0')) {
            continue;
        }
        if (count < DIGITS) {
            text[count++] = (char)*p;
        } else {
            dropped++;
            sticky |= *p != '0';
        }
    }
    if (sticky) {
        text[count - 1] |= 1;
    }
    int64_t exponent = number->exponent + dropped;
    exponent = exponent > EXPONENT_LIMIT ? EXPONENT_LIMIT : exponent;
    exponent = exponent < -EXPONENT_LIMIT ? -EXPONENT_LIMIT : exponent;
    snprintf(text + count, sizeof text - count, "e%d", (int)exponent);
    return strtod(text, NULL);
}

static double value_of(const parts *number, uint64_t mantissa, int64_t exponent, int exact) {
    if (mantissa == 0) {
        return 0;
    }
    if (exact && mantissa <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
        double value = (double)mantissa;
        return exponent < 0 ? value / ddf_number_tens[-exponent] : value * ddf_number_tens[exponent];
    }
    if (exact && exponent >= -19 && exponent <= 19) {
        return exponent < 0 ? divided(mantissa, (int)-exponent) : multiplied(mantissa, (int)exponent);
    }
    return converted(number);
}

static const uint8_t *read_name(const uint8_t *p, ddf_number *out, const uint8_t **wrong) {
    int negative = *p == '-';
    const uint8_t *q = p + negative;
    const char *name = *q == 'N' && !negative ? "NaN" : "Infinity";
    out->value = *name == 'N' ? NAN : negative ? -INFINITY : INFINITY;
    for (; *name != 0; name++, q++) {
        if (*q != (uint8_t)*name) {
            *wrong = q;
            return NULL;
        }
    }
    return q;
}

const uint8_t *ddf_number_read(const uint8_t *p, ddf_number *out, const uint8_t **wrong) {
    *out = (ddf_number){0};
    if (*p == 'N' || *p == 'I' || (*p == '-' && p[1] == 'I')) {
        return read_name(p, out, wrong);
    }
    parts number;
    p = split(p, &number, wrong);
    if (p == NULL) {
        return NULL;
    }
    int64_t dropped;
    int exact;
    uint64_t mantissa = leading_digits(&number, &dropped, &exact);
    double value = value_of(&number, mantissa, number.exponent + dropped, exact);
    out->value = number.negative ? -value : value;
    if (number.is_plain) {
        out->is_integer = dropped == 0 && mantissa <= (uint64_t)INT64_MAX + (uint64_t)number.negative;
        out->integer = (int64_t)(number.negative ? 0 - mantissa : mantissa);
    } else if (value <= 9007199254740992.0 && value == (double)(int64_t)value) {
        out->is_integer = 1;
        out->integer = (int64_t)out->value;
    }
    return p;
}
