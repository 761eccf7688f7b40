#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ddf_number.h"
#include "ddf_number_text.h"

static uint64_t state = 1;

static uint64_t random_bits(void) { /* splitmix64 */
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Read a copy in memory of its very size, so that reading past it shows. Returns how many bytes the number has, or minus
 * the position of what is wrong, less 1. */
static long read_text(const char *text, ddf_number *out, double *fast) {
    size_t size = strlen(text);
    uint8_t *copy = calloc(1, size + DDF_NUMBER_PADDING);
    assert(copy != NULL);
    memcpy(copy, text, size);
    const uint8_t *wrong = NULL, *wrong_fast = NULL;
    const uint8_t *end = ddf_number_read(copy, out, &wrong);
    const uint8_t *end_fast = ddf_number_double(copy, fast, &wrong_fast);
    assert(end == end_fast && wrong == wrong_fast);
    assert(end == NULL || memcmp(&out->value, fast, sizeof *fast) == 0 || isnan(*fast));
    long result = end == NULL ? -(long)(wrong - copy) - 1 : (long)(end - copy);
    free(copy);
    return result;
}

/* The number is that of strtod, which is right, and takes all of the text. */
static void as_strtod(const char *text) {
    ddf_number number;
    double fast, known = strtod(text, NULL);
    assert(read_text(text, &number, &fast) == (long)strlen(text));
    assert(memcmp(&number.value, &known, sizeof known) == 0);
}

static void numbers_are_those_of_strtod(void) {
    const char *const texts[] = {
        "0", "-0", "0.0", "-0.0", "1", "12", "473.07", "1234567", "12345678", "123456789", "1234567.12345678",
        "1234567.123456789", "0.5", "9007199254740993", "9007199254740993.00000000000000000000000000000001",
        "18446744073709551615", "18446744073709551616", "1e22", "1e23", "1e-22", "1e-23", "123456789012345678e19",
        "123456789012345678e-19", "2.2250738585072011e-308", "2.4703282292062327e-324", "2.4703282292062328e-324",
        "1.7976931348623157e308", "1.7976931348623159e308", "1e400", "-1e-400", "0e99999999999999999999",
        "1e99999999999999999999", "1E+5", "1.5e-5",
    }; /* fmt: skip */
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        as_strtod(texts[i]);
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_bits();
        double value;
        char text[64];
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            snprintf(text, sizeof text, "%.*e", (int)(bits % 25), value);
            as_strtod(text);
        }
        snprintf(text, sizeof text, "%llu.%llu", (unsigned long long)(bits >> (bits % 64)),
                 (unsigned long long)random_bits() >> (bits % 61));
        as_strtod(text);
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)bits, (int)(bits % 41) - 20);
        as_strtod(text);
    }
}

static void a_long_text_is_read_to_its_end(void) {
    static char text[4000];
    memset(text, '1', sizeof text - 1);
    as_strtod(text);
    text[1] = '.';
    as_strtod(text);
    memset(text + 2, '0', 3000);
    as_strtod(text);
    memcpy(text + 3900, "e-2000", 7);
    as_strtod(text);
}

static void what_is_wrong_has_a_place(void) {
    const struct {
        const char *text;
        long at;
    } cases[] = {
        {"", 0},   {"-", 1},   {"01", 1},  {"-01", 2}, {"1.", 2},  {"1.x", 2},   {".5", 0},
        {"1e", 2}, {"1e+", 3}, {"1.e", 2}, {"Nan", 2}, {"Inf", 3}, {"-NaN", 1}, {"--1", 1},
    };
    ddf_number number;
    double fast;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert(read_text(cases[i].text, &number, &fast) == -cases[i].at - 1);
    }
    assert(read_text("12]", &number, &fast) == 2);
    assert(read_text("NaN", &number, &fast) == 3 && isnan(number.value));
    assert(read_text("-Infinity", &number, &fast) == 9 && number.value == -INFINITY);
}

static void integers_are_told_from_others(void) {
    ddf_number number;
    double fast;
    assert(read_text("9223372036854775807", &number, &fast) > 0 && number.is_integer && number.integer == INT64_MAX);
    assert(read_text("-9223372036854775808", &number, &fast) > 0 && number.is_integer && number.integer == INT64_MIN);
    assert(read_text("9223372036854775808", &number, &fast) > 0 && !number.is_integer);
    assert(read_text("-9223372036854775809", &number, &fast) > 0 && !number.is_integer);
    assert(read_text("100000000000000000000", &number, &fast) > 0 && !number.is_integer);
    assert(read_text("-1e3", &number, &fast) > 0 && number.is_integer && number.integer == -1000);
    assert(read_text("2.0", &number, &fast) > 0 && number.is_integer && number.integer == 2);
    assert(read_text("2.5", &number, &fast) > 0 && !number.is_integer);
    assert(read_text("1e16", &number, &fast) > 0 && !number.is_integer);
    assert(read_text("1e400", &number, &fast) > 0 && !number.is_integer);
    assert(read_text("NaN", &number, &fast) > 0 && !number.is_integer);
}

static void wrote(double value, int is_short, const char *expected) {
    uint8_t text[DDF_NUMBER_TEXT];
    size_t size = ddf_number_write(value, is_short, text);
    assert(size == strlen(expected) && memcmp(text, expected, size) == 0);
}

static void numbers_are_written_short(void) {
    wrote(0, 0, "0.0");
    wrote(-0.0, 1, "-0");
    wrote(473.07, 0, "473.07");
    wrote(640, 0, "640.0");
    wrote(640, 1, "640");
    wrote(0.0001, 0, "0.0001");
    wrote(0.00001, 0, "1e-05");
    wrote(1e16, 1, "1e+16");
    wrote(9999999999999998.0, 0, "9999999999999998.0");
    wrote(0.1 + 0.2, 0, "0.30000000000000004");
    wrote(5e-324, 0, "5e-324");
    wrote(-1.7976931348623157e308, 0, "-1.7976931348623157e+308");
    wrote(5.684341886080802e-14, 0, "5.684341886080802e-14");
    wrote(INFINITY, 0, "Infinity");
    wrote(NAN, 1, "NaN");
}

static void what_is_written_is_read_again(void) {
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = random_bits();
        double value, fast;
        memcpy(&value, &bits, sizeof value);
        value = i % 3 == 0 ? value : i % 3 == 1 ? (double)(bits % 1000000000) / 1000 : ldexp((double)bits, -60);
        uint8_t text[DDF_NUMBER_TEXT + 1];
        size_t size = ddf_number_write(value, i & 1, text);
        text[size] = 0;
        ddf_number number;
        assert(size < DDF_NUMBER_TEXT && read_text((char *)text, &number, &fast) == (long)size);
        assert(number.value == value || isnan(value));
        size = ddf_integer_write((int64_t)bits, text);
        text[size] = 0;
        assert(size < DDF_NUMBER_TEXT && read_text((char *)text, &number, &fast) == (long)size);
        assert(number.is_integer && number.integer == (int64_t)bits);
    }
}

int main(void) {
    numbers_are_those_of_strtod();
    a_long_text_is_read_to_its_end();
    what_is_wrong_has_a_place();
    integers_are_told_from_others();
    numbers_are_written_short();
    what_is_written_is_read_again();
    return 0;
}
