#include <assert.h>
#include <stdlib.h>

#include "ddf_msgpack.h"
#include "ddf_roundtrip.h"

/* Whether the message is plain; from memory of its very size, so that reading past it shows. */
static int plain(const char *text, size_t len, uint64_t encoded, ddf_err *err) {
    uint8_t *copy = malloc(len + 1);
    assert(copy != NULL);
    uint8_t *p = copy + 1; /* not aligned */
    memcpy(p, text, len);
    int result = ddf_roundtrip_is_exact(p, len, encoded, err);
    free(copy);
    return result;
}

#define PLAIN(text, encoded) plain(text, sizeof(text) - 1, encoded, NULL)
#define COMPLEX                                                                                                        \
    "\x82\xc4\x07"                                                                                                     \
    "complex\xc3\xc4\x04"                                                                                              \
    "data\xa2"                                                                                                         \
    "1j"

static void reserved_keys_are_counted(void) {
    assert(PLAIN("\x80", 0) == 1);
    assert(PLAIN("\x81\xa2nd\x01", 0) == 1);     /* a string is not reserved */
    assert(PLAIN("\x81\xc4\x02nd\x01", 0) == 0); /* a binary is */
    assert(PLAIN("\x81\xc4\x02nd\x01", 1) == 1);
    assert(PLAIN("\x91" COMPLEX, 1) == 1);
    assert(PLAIN("\x92" COMPLEX COMPLEX, 1) == 0);
    assert(PLAIN("\x81\xa1x\x81\xc4\x02nd" COMPLEX, 2) == 1);
}

static void odd_keys_need_a_closer_look(void) {
    assert(PLAIN("\x83\x01\x01\xff\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0) == 1);
    assert(PLAIN("\x81\xc0\x01", 0) == 0);
    assert(PLAIN("\x81\xc3\x01", 0) == 0);
    assert(PLAIN("\x81\x90\x01", 0) == 0);
    assert(PLAIN("\x81" COMPLEX "\x01", 1) == 0);
    assert(PLAIN("\x82\xa1k\x01\xa1k\x02", 0) == 0);
    assert(PLAIN("\x82\xa1k\x81\xa1k\x01\xa1l\x02", 0) == 1);
}

static void every_truncation_is_told(void) {
    static const char text[] = "\x83\xa1k\x81\xc4\x02nd\x01\x02\x92\xcb" "01234567\xc7\x02\x05" "ab\xa1l" COMPLEX;
    assert(PLAIN(text, 2) == 1);
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        ddf_err err;
        assert(plain(text, len, 2, &err) == DDF_E_TRUNCATED && err.pos <= len);
    }
}

static void depth_is_limited(void) {
    char text[3 * (DDF_MAX_DEPTH + 2)];
    size_t len = 0;
    for (size_t i = 0; i <= DDF_MAX_DEPTH; i++) {
        memcpy(text + len, "\x81\xa0", 2);
        len += 2;
    }
    text[len++] = '\x01';
    ddf_err err;
    assert(plain(text, len, 0, &err) == DDF_E_DEPTH && err.pos == 2 * DDF_MAX_DEPTH);
    assert(plain(text + 2, len - 2, 0, &err) == 0); /* more open keys than are kept */
}

static void all_short_messages_are_safe(void) {
    uint8_t text[3];
    for (uint32_t i = 0; i < 1u << 24; i++) {
        text[0] = (uint8_t)(i >> 16), text[1] = (uint8_t)(i >> 8), text[2] = (uint8_t)i;
        int result = ddf_roundtrip_is_exact(text, sizeof text, 0, NULL);
        int check = ddf_msgpack_check(text, sizeof text, 0, NULL);
        assert(check < 0 ? result == check : result >= 0);
    }
}

int main(void) {
    reserved_keys_are_counted();
    odd_keys_need_a_closer_look();
    every_truncation_is_told();
    depth_is_limited();
    all_short_messages_are_safe();
    return 0;
}
