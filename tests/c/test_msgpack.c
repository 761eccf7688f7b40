#include <assert.h>
#include <stdlib.h>

#include "ddf_msgpack.h"

#define BYTES(text) ((const uint8_t *)(text)), (sizeof(text) - 1)

/* Messages are checked in memory of exactly their size, so that the sanitizer sees each byte too many. */
static uint8_t *exact(const uint8_t *bytes, size_t len) {
    uint8_t *copy = malloc(len + (len == 0));
    assert(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

static void expect(const uint8_t *bytes, size_t len, int utf8, int code, uint64_t pos) {
    uint8_t *copy = exact(bytes, len);
    ddf_err err = {0};
    int got = ddf_msgpack_check(copy, len, utf8, &err);
    assert(got == code);
    assert(code == DDF_OK || (err.code == code && err.pos == pos && err.msg != NULL));
    assert(ddf_msgpack_check(copy, len, utf8, NULL) == code);
    free(copy);
}

static void whole_messages_pass(void) {
    expect(BYTES("\xc0"), 1, DDF_OK, 0);
    expect(BYTES("\x93\x01\x80\x91\xc3"), 1, DDF_OK, 0);
    expect(BYTES("\x82\xa1k\xc4\x02xy\x90\xd6\xff\0\0\0\1"), 1, DDF_OK, 0);
    expect(BYTES("\xdf\0\0\0\1\xdb\0\0\0\0\xc6\0\0\0\0"), 1, DDF_OK, 0);
}

static void damage_is_placed(void) {
    expect(BYTES(""), 1, DDF_E_TRUNCATED, 0);
    expect(BYTES("\xc1"), 1, DDF_E_RESERVED, 0);
    expect(BYTES("\x92\x01"), 1, DDF_E_TRUNCATED, 2);
    expect(BYTES("\x92\x01\xa3xy"), 1, DDF_E_TRUNCATED, 2);
    expect(BYTES("\x92\x01\xcb\0\0\0\0\0\0\0"), 1, DDF_E_TRUNCATED, 2);
    expect(BYTES("\x81\xa1x\xc1"), 1, DDF_E_RESERVED, 3);
    expect(BYTES("\x01\x02"), 1, DDF_E_TRAILING, 1);
    expect(BYTES("\xdd\xff\xff\xff\xff\x01"), 1, DDF_E_TRUNCATED, 6);
    expect(BYTES("\xdf\xff\xff\xff\xff\x01"), 1, DDF_E_TRUNCATED, 6);
    expect(BYTES("\xc6\xff\xff\xff\xff\x01"), 1, DDF_E_TRUNCATED, 0);
    expect(BYTES("\x91\xa2\xc3\x28"), 1, DDF_E_UTF8, 1);
    expect(BYTES("\x91\xa2\xc3\x28"), 0, DDF_OK, 0);
}

static void a_run_is_checked_sample_by_sample(void) {
    const uint64_t ends[] = {1, 3, 3}, falling[] = {1, 0}, beyond[] = {1, 4}, *none = NULL;
    uint8_t *run = exact(BYTES("\x01\xa1z"));
    ddf_err err;
    assert(ddf_msgpack_check_run(run, 3, ends, 2, 1, &err) == DDF_OK);
    assert(ddf_msgpack_check_run(run, 0, none, 0, 1, &err) == DDF_OK);
    assert(ddf_msgpack_check_run(run, 3, ends, 3, 1, &err) == DDF_E_TRUNCATED && err.item == 2 && err.pos == 0);
    assert(ddf_msgpack_check_run(run, 3, ends + 1, 1, 1, &err) == DDF_E_TRAILING && err.item == 0 && err.pos == 1);
    assert(ddf_msgpack_check_run(run, 3, ends, 1, 1, &err) == DDF_E_SPAN && err.item == 1);
    assert(ddf_msgpack_check_run(run, 3, falling, 2, 1, &err) == DDF_E_SPAN && err.item == 1);
    assert(ddf_msgpack_check_run(run, 3, beyond, 2, 1, &err) == DDF_E_SPAN && err.item == 1);
    run[2] = 0xff;
    assert(ddf_msgpack_check_run(run, 3, ends, 2, 1, &err) == DDF_E_UTF8 && err.item == 1 && err.pos == 0);
    assert(ddf_msgpack_check_run(run, 3, ends, 2, 0, NULL) == DDF_OK);
    free(run);
}

static void nesting_is_limited(void) {
    uint8_t *deep = malloc(DDF_MAX_DEPTH + 2);
    assert(deep != NULL);
    memset(deep, 0x91, DDF_MAX_DEPTH + 2);
    deep[DDF_MAX_DEPTH] = 0xc0;
    assert(ddf_msgpack_check(deep, DDF_MAX_DEPTH + 1, 1, NULL) == DDF_OK);
    deep[DDF_MAX_DEPTH] = 0x90;
    ddf_err err;
    assert(ddf_msgpack_check(deep, DDF_MAX_DEPTH + 1, 1, &err) == DDF_E_DEPTH && err.pos == DDF_MAX_DEPTH);
    memset(deep, 0x81, DDF_MAX_DEPTH + 2);
    assert(ddf_msgpack_check(deep, DDF_MAX_DEPTH + 2, 1, &err) == DDF_E_DEPTH && err.pos == DDF_MAX_DEPTH);
    free(deep);
}

static void siblings_do_not_add_to_the_depth(void) {
    size_t n = 60000;
    uint8_t *wide = malloc(n + 3);
    assert(wide != NULL);
    memcpy(wide, "\xdc\xea\x60", 3);
    for (size_t i = 0; i < n; i++) {
        wide[i + 3] = i % 2 ? 0x80 : 0x90;
    }
    assert(ddf_msgpack_check(wide, n + 3, 1, NULL) == DDF_OK);
    free(wide);
}

static ddf_token token(const uint8_t *bytes, size_t len) {
    uint8_t *copy = exact(bytes, len);
    ddf_token out;
    int status = 0;
    assert(ddf_token_read(copy, copy + len, &out, &status) == copy + len);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *part = exact(bytes, cut);
        ddf_token ignored;
        assert(ddf_token_read(part, part + cut, &ignored, &status) == NULL && status == DDF_E_TRUNCATED);
        free(part);
    }
    free(copy);
    return out;
}

static void numbers_keep_sign_and_width(void) {
    assert(token(BYTES("\x7f")).value.i == 127);
    assert(token(BYTES("\xe0")).value.i == -32);
    assert(token(BYTES("\xcc\xff")).value.i == 255);
    assert(token(BYTES("\xcd\xff\xfe")).value.i == 65534);
    assert(token(BYTES("\xce\xff\xff\xff\xfd")).value.i == 4294967293);
    assert(token(BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff")).kind == DDF_INT);
    ddf_token big = token(BYTES("\xcf\x80\0\0\0\0\0\0\1"));
    assert(big.kind == DDF_UINT && big.value.u == 0x8000000000000001);
    assert(token(BYTES("\xd0\x80")).value.i == -128);
    assert(token(BYTES("\xd1\x80\0")).value.i == -32768);
    assert(token(BYTES("\xd2\x80\0\0\0")).value.i == INT32_MIN);
    assert(token(BYTES("\xd3\x80\0\0\0\0\0\0\0")).value.i == INT64_MIN);
    assert(token(BYTES("\xca\xbf\x80\0\0")).value.f >= -1.0 && token(BYTES("\xca\xbf\x80\0\0")).value.f <= -1.0);
    assert(token(BYTES("\xcb\x40\x08\0\0\0\0\0\0")).value.f >= 3.0);
    assert(token(BYTES("\xc2")).value.i == 0 && token(BYTES("\xc3")).value.i == 1);
}

static void lengths_and_ext_types_are_read(void) {
    static const uint8_t fixext[] = {0xd8, 0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ddf_token ext = token(fixext, sizeof fixext);
    assert(ext.kind == DDF_EXT && ext.ext_type == -128 && ext.len == 16);
    ext = token(BYTES("\xc8\0\2\x05xy"));
    assert(ext.kind == DDF_EXT && ext.ext_type == 5 && ext.len == 2);
    assert(token(BYTES("\xc9\0\0\0\0\xff")).ext_type == -1);
    assert(token(BYTES("\xde\1\2")).len == 258 && token(BYTES("\xdd\1\0\0\2")).len == 0x1000002);
    assert(token(BYTES("\xd9\3abc")).len == 3 && token(BYTES("\xc5\0\1x")).kind == DDF_BIN);
}

static void split_counts_and_places_messages(void) {
    const uint8_t *p = (const uint8_t *)"\x01\x92\x02\x03\xa1x";
    uint64_t offsets[3] = {9, 9, 9};
    ddf_err err;
    assert(ddf_msgpack_split(p, 6, offsets, 3, &err) == 3);
    assert(offsets[0] == 0 && offsets[1] == 1 && offsets[2] == 4);
    offsets[2] = 9;
    assert(ddf_msgpack_split(p, 6, offsets, 2, &err) == 3 && offsets[2] == 9);
    assert(ddf_msgpack_split(p, 6, NULL, 0, NULL) == 3);
    assert(ddf_msgpack_split(p, 0, offsets, 3, &err) == 0);
    assert(ddf_msgpack_split(p, 5, offsets, 3, &err) == DDF_E_TRUNCATED && err.item == 2 && err.pos == 4);
}

static void skip_counts_positions_from_its_base(void) {
    const uint8_t *p = (const uint8_t *)"\x01\x92\x02\xc1";
    ddf_err err;
    assert(ddf_msgpack_skip(p, p + 4, p, NULL) == p + 1);
    assert(ddf_msgpack_skip(p + 1, p + 4, p, &err) == NULL && err.code == DDF_E_RESERVED && err.pos == 3);
}

static int valid(const uint8_t *bytes, size_t len) {
    uint8_t *copy = exact(bytes, len);
    int got = ddf_utf8_valid(copy, len);
    free(copy);
    return got;
}

static void utf8_follows_rfc_3629(void) {
    assert(valid(BYTES("")) && valid(BYTES("plain ASCII, longer than a word")));
    assert(valid(BYTES("\xc2\x80")) && valid(BYTES("\xdf\xbf")) && valid(BYTES("\xe0\xa0\x80")));
    assert(valid(BYTES("\xed\x9f\xbf")) && valid(BYTES("\xee\x80\x80")) && valid(BYTES("\xef\xbf\xbf")));
    assert(valid(BYTES("\xf0\x90\x80\x80")) && valid(BYTES("\xf4\x8f\xbf\xbf")));
    assert(valid(BYTES("0123456\xc3\xa9" "89abcdef")));
    assert(!valid(BYTES("\x80")) && !valid(BYTES("\xc0\x80")) && !valid(BYTES("\xc1\xbf")));
    assert(!valid(BYTES("\xe0\x9f\xbf")) && !valid(BYTES("\xed\xa0\x80")) && !valid(BYTES("\xf0\x8f\xbf\xbf")));
    assert(!valid(BYTES("\xf4\x90\x80\x80")) && !valid(BYTES("\xf5\x80\x80\x80")) && !valid(BYTES("\xff")));
    assert(!valid(BYTES("\xc3")) && !valid(BYTES("\xe2\x82")) && !valid(BYTES("\xf0\x90\x80")));
    assert(!valid(BYTES("\xe2\x28\xa1")) && !valid(BYTES("\xe2\x82\x28")) && !valid(BYTES("\xf0\x90\x80\x28")));
    assert(!valid(BYTES("01234567\x80")) && !valid(BYTES("0123456\xc3")));
}

int main(void) {
    whole_messages_pass();
    damage_is_placed();
    a_run_is_checked_sample_by_sample();
    nesting_is_limited();
    siblings_do_not_add_to_the_depth();
    numbers_keep_sign_and_width();
    lengths_and_ext_types_are_read();
    split_counts_and_places_messages();
    skip_counts_positions_from_its_base();
    utf8_follows_rfc_3629();
    return 0;
}
