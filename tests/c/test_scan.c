#include <assert.h>
#include <stdlib.h>

#include "ddf_msgpack.h"
#include "ddf_scan.h"

#define ROOM 8

/* Scan a copy in memory of its very size, so that reading past it shows. Positions stay good. */
static int64_t run(const char *text, size_t len, ddf_scanned *out, size_t room, ddf_err *err) {
    uint8_t *copy = malloc(len + 1);
    assert(copy != NULL);
    memcpy(copy + 1, text, len);
    int64_t n = ddf_scan_run(copy + 1, len, out, room, err);
    free(copy);
    return n;
}

static int64_t spans(const char *text, size_t len, const ddf_span *where, size_t n, ddf_scanned *out, ddf_err *err) {
    uint8_t *copy = malloc(len + 1);
    assert(copy != NULL);
    memcpy(copy + 1, text, len);
    int64_t got = ddf_scan_spans(copy + 1, len, 100, where, n, out, err);
    free(copy);
    return got;
}

#define RUN(text, room) run(text, sizeof(text) - 1, out, room, &err)
#define A "\x81\xa3key\xa1" "a"                      /* 7 bytes */
#define B "\x82\xa1x\x92\x01\x02\xa3key\xa2" "bc"    /* 13 bytes */

static void samples_and_keys_are_found(void) {
    ddf_scanned out[ROOM];
    ddf_err err;
    assert(RUN(A B A, ROOM) == 3);
    assert(out[0].start == 0 && out[0].stop == 7 && out[0].kind == DDF_KEY_TEXT);
    assert(out[0].key_at == 6 && out[0].key_size == 1);
    assert(out[1].start == 7 && out[1].stop == 20 && out[1].key_at == 18 && out[1].key_size == 2);
    assert(out[2].stop == 27);
    assert(RUN(A B A, 2) == 2);
    assert(RUN("", ROOM) == 0);
}

static void odd_keys_are_told_apart(void) {
    ddf_scanned out[ROOM];
    ddf_err err;
    assert(RUN("\x80\x81\xa3key\x01\x01\x81\xc4\x03key\xa1" "a", ROOM) == 4);
    assert(out[0].kind == DDF_KEY_NONE);
    assert(out[1].kind == DDF_KEY_OTHER);
    assert(out[2].kind == DDF_KEY_NO_MAP);
    assert(out[3].kind == DDF_KEY_NONE); /* a binary is no string */
    assert(RUN("\x82\xa3key\x01\xa3key\xa1z", ROOM) == 1 && out[0].kind == DDF_KEY_TEXT);
    assert(RUN("\x82\xa3key\xa1z\xa3key\x90", ROOM) == 1 && out[0].kind == DDF_KEY_OTHER);
    assert(RUN("\x81\x91\xa3key\xa1z", ROOM) == 1 && out[0].kind == DDF_KEY_NONE); /* inside of a key */
}

static void a_sample_that_is_cut_off_says_what_it_needs(void) {
    static const char text[] = "\x82\xa1x\x93\x01\x02\x03\xa3key\xc5\x01\x00 and so on";
    ddf_scanned out[ROOM];
    ddf_err err;
    for (size_t len = 1; len < sizeof(text) - 1; len++) {
        assert(run(text, len, out, ROOM, &err) == DDF_E_TRUNCATED);
        assert(err.item > len && err.item <= 14 + 256 && err.pos <= len);
    }
    assert(err.item >= 14 + 256 - 2); /* all but the length itself */
    assert(RUN("\xdd\xff\xff\xff\xff", ROOM) == DDF_E_TRUNCATED && err.item >= 0xffffffffu);
    assert(RUN(A "\x81", ROOM) == 1);
}

static void damage_ends_a_run_and_is_told_by_the_next(void) {
    ddf_scanned out[ROOM];
    ddf_err err;
    assert(RUN(A "\x81\xc1", ROOM) == 1);
    assert(RUN("\x81\xc1", ROOM) == DDF_E_RESERVED && err.pos == 1);
    assert(RUN("\x91\xa1\xff", ROOM) == DDF_E_UTF8 && err.pos == 1);
}

static void spans_are_one_message_each(void) {
    ddf_scanned out[ROOM];
    ddf_err err;
    const ddf_span good[] = {{100, 107}, {107, 120}};
    assert(spans(A B, 20, good, 2, out, &err) == 2 && out[1].start == 7 && out[1].key_at == 18);
    const ddf_span shifted[] = {{100, 107}, {107, 119}};
    assert(spans(A B, 20, shifted, 2, out, &err) == 1);
    assert(spans(A B, 20, shifted + 1, 1, out, &err) == DDF_E_TRUNCATED);
    const ddf_span two[] = {{100, 120}};
    assert(spans(A B, 20, two, 1, out, &err) == DDF_E_TRAILING && err.pos == 7);
    const ddf_span outside[] = {{99, 107}, {100, 121}, {107, 100}};
    for (size_t i = 0; i < 3; i++) {
        assert(spans(A B, 20, outside + i, 1, out, &err) == DDF_E_SPAN);
    }
}

int main(void) {
    samples_and_keys_are_found();
    odd_keys_are_told_apart();
    a_sample_that_is_cut_off_says_what_it_needs();
    damage_ends_a_run_and_is_told_by_the_next();
    spans_are_one_message_each();
    return 0;
}
