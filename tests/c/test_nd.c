#include <assert.h>
#include <stdlib.h>

#include "ddf_msgpack.h"
#include "ddf_nd.h"

#define ARRAY(type, shape, data)                                                                                       \
    "\x85\xc4\x02nd\xc3\xc4\x04type" type "\xc4\x04kind\xc4\x00\xc4\x05shape" shape "\xc4\x04"                         \
    "data" data
#define SCALAR "\x83\xc4\x02nd\xc2\xc4\x04type\xa3<i2\xc4\x04" "data\xc4\x02\x01\x02"
#define COMPLEX "\x82\xc4\x07" "complex\xc3\xc4\x04" "data\xa2" "1j"
#define VECTOR ARRAY("\xa3<f4", "\x92\x02\x01", "\xc4\x08" "01234567")

static int parses(const char *text, size_t len, ddf_nd *out) {
    const uint8_t *p = (const uint8_t *)text;
    const uint8_t *stop = ddf_nd_parse(p, p + len, out);
    assert(stop == NULL || stop == ddf_msgpack_skip(p, p + len, p, NULL));
    return stop != NULL;
}

#define PARSES(text, out) parses(text, sizeof(text) - 1, out)

static void the_three_forms_are_read(void) {
    ddf_nd nd;
    assert(PARSES(VECTOR, &nd) && nd.form == DDF_ND_ARRAY);
    assert(nd.type_len == 3 && memcmp(nd.type, "<f4", 3) == 0);
    assert(nd.ndim == 2 && nd.shape[0] == 2 && nd.shape[1] == 1);
    assert(nd.data_len == 8 && memcmp(nd.data, "01234567", 8) == 0);
    assert(PARSES(SCALAR, &nd) && nd.form == DDF_ND_SCALAR && nd.ndim == 0 && nd.data_len == 2);
    assert(PARSES(COMPLEX, &nd) && nd.form == DDF_ND_COMPLEX && nd.data_len == 2 && nd.data[1] == 'j');
    assert(PARSES(ARRAY("\xa3|b1", "\x90", "\xc4\x01\x01"), &nd) && nd.ndim == 0);
    assert(PARSES(ARRAY("\xa3|b1", "\x91\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "\xc4\x00"), &nd));
}

static void what_follows_does_not_matter(void) {
    ddf_nd nd;
    const uint8_t *p = (const uint8_t *)VECTOR "\xc1\xc1";
    assert(ddf_nd_parse(p, p + sizeof(VECTOR) + 1, &nd) == p + sizeof(VECTOR) - 1);
}

static void other_maps_are_left_alone(void) {
    ddf_nd nd;
    assert(!PARSES("\x80", &nd) && !PARSES("\x81\xc4\x02nd\xc3", &nd) && !PARSES("\x82\xa1x\x01\xa1y\x02", &nd));
    assert(!PARSES("\x85\xc4\x02nd\xc2\xc4\x04type\xa3<f4", &nd));
    assert(!PARSES(ARRAY("\xc4\x03<f4", "\x90", "\xc4\x01x"), &nd)); /* type is a binary */
    assert(!PARSES(ARRAY("\xa3<f4", "\x01", "\xc4\x01x"), &nd));     /* shape is a number */
    assert(!PARSES(ARRAY("\xa3<f4", "\x91\xff", "\xc4\x01x"), &nd));
    assert(!PARSES(ARRAY("\xa3<f4", "\x91\xc3", "\xc4\x01x"), &nd));
    assert(!PARSES(ARRAY("\xa3<f4", "\x91\xcf\x80\0\0\0\0\0\0\0", "\xc4\x01x"), &nd));
    assert(!PARSES(ARRAY("\xa3<f4", "\x90", "\xa1x"), &nd)); /* data are text */
    assert(!PARSES(ARRAY("\xa3<f4", "\xdd\xff\xff\xff\xff", ""), &nd));
}

static void dimensions_are_limited(void) {
    static const char head[] = "\x85\xc4\x02nd\xc3\xc4\x04type\xa3<f4\xc4\x04kind\xc4\x00\xc4\x05shape\xdc\0";
    static const char tail[] = "\xc4\x04" "data\xc4\x00";
    for (unsigned ndim = DDF_ND_MAX_DIMS; ndim <= DDF_ND_MAX_DIMS + 1; ndim++) {
        char text[256];
        size_t len = sizeof head - 1;
        memcpy(text, head, len);
        text[len++] = (char)ndim;
        memset(text + len, 1, ndim);
        len += ndim;
        memcpy(text + len, tail, sizeof tail - 1);
        ddf_nd nd;
        assert(parses(text, len + sizeof tail - 1, &nd) == (ndim == DDF_ND_MAX_DIMS));
    }
}

static void no_cut_form_is_read(void) {
    static const struct {
        const char *text;
        size_t len;
    } forms[] = {{VECTOR, sizeof(VECTOR) - 1}, {SCALAR, sizeof(SCALAR) - 1}, {COMPLEX, sizeof(COMPLEX) - 1}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t cut = 0; cut < forms[i].len; cut++) {
            uint8_t *part = malloc(cut + (cut == 0));
            assert(part != NULL);
            memcpy(part, forms[i].text, cut);
            ddf_nd nd;
            assert(ddf_nd_parse(part, part + cut, &nd) == NULL);
            free(part);
        }
    }
}

static void data_must_fill_the_shape_exactly(void) {
    ddf_nd nd = {.ndim = 2, .shape = {3, 5}, .data_len = 60};
    assert(ddf_nd_fits(&nd, 4) && !ddf_nd_fits(&nd, 2) && !ddf_nd_fits(&nd, 8));
    nd = (ddf_nd){.ndim = 0, .data_len = 8};
    assert(ddf_nd_fits(&nd, 8));
    nd = (ddf_nd){.ndim = 2, .shape = {(uint64_t)1 << 62, 4}, .data_len = 0};
    assert(!ddf_nd_fits(&nd, 1));
    nd = (ddf_nd){.ndim = 2, .shape = {0, 7}, .data_len = 0};
    assert(ddf_nd_fits(&nd, 4));
}

static void arrays_without_bytes_have_a_bounded_number_of_rows(void) {
    ddf_nd nd = {.ndim = 3, .shape = {0, 1080, 1920}};
    assert(ddf_nd_fits(&nd, 1) && ddf_nd_bytes(&nd, 8) == 0);
    nd = (ddf_nd){.ndim = 3, .shape = {8192, 8192, 0}};
    assert(DDF_ND_MAX_ROWS == 8192 * 8192 && ddf_nd_fits(&nd, 16));
    nd = (ddf_nd){.ndim = 4, .shape = {8192, 8193, 0, 0}};
    assert(!ddf_nd_fits(&nd, 1) && ddf_nd_bytes(&nd, 1) == UINT64_MAX);
    nd = (ddf_nd){.ndim = 2, .shape = {0, (uint64_t)1 << 60}};
    assert(ddf_nd_fits(&nd, 4) && !ddf_nd_fits(&nd, 8));
    nd = (ddf_nd){.ndim = 3, .shape = {0, (uint64_t)1 << 62, 4}};
    assert(!ddf_nd_fits(&nd, 1));
}

static void dtypes_that_are_not_numbers_have_no_size(void) {
    static const char *const GOOD[] = {"|b1", "|i1", "|u1", "<i2", ">u4", "<f2", "<f8", "<c8", ">c16"};
    static const char *const BAD[] = {"", "|", "|b", "|b2", "|f1", "|i4", "=i4", "<i1", "<i3", "<f16", "<f1", "<c4",
                                      "<c161", "<i44", "|O", "|V8", "<U1", "<M8[s]", "i4"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert(ddf_dtype_size((const uint8_t *)GOOD[i], strlen(GOOD[i])) == (uint32_t)atoi(GOOD[i] + 2));
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert(ddf_dtype_size((const uint8_t *)BAD[i], strlen(BAD[i])) == 0);
    }
}

int main(void) {
    the_three_forms_are_read();
    what_follows_does_not_matter();
    other_maps_are_left_alone();
    dimensions_are_limited();
    no_cut_form_is_read();
    data_must_fill_the_shape_exactly();
    arrays_without_bytes_have_a_bounded_number_of_rows();
    dtypes_that_are_not_numbers_have_no_size();
    return 0;
}
