#include <assert.h>
#include <stdlib.h>

#include "ddf_payload.h"

/* From memory of the message's very size, so that reading past it shows. */
static int find(const char *text, size_t len, size_t *at, size_t *size) {
    uint8_t *copy = malloc(len + 1);
    assert(copy != NULL);
    memcpy(copy + 1, text, len);
    int result = ddf_payload_find(copy + 1, len, at, size);
    if (result) {
        assert(*at + *size <= len && ddf_payload_matches(copy + 1, len, *at, *size));
        memset(copy + 1 + *at, 0xc1, len - *at); /* what is not there yet does not matter */
        assert(ddf_payload_matches(copy + 1, len, *at, *size));
        assert(!ddf_payload_matches(copy + 1, len, *at + 1, *size) && !ddf_payload_matches(copy + 1, len, *at, *size + 1));
        assert(!ddf_payload_matches(copy + 1, len, *at - 1, *size));
    }
    free(copy);
    return result;
}

#define FIND(text) find(text, sizeof(text) - 1, &at, &size)

static void the_longest_direct_binary_is_found(void) {
    size_t at, size;
    assert(FIND("\x81\xa1k\xc4\x03" "abc") && at == 5 && size == 3);
    assert(FIND("\x82\xa1k\xc4\x01" "a\xa1l\xc4\x02" "bc") && at == 10 && size == 2);
    assert(FIND("\x82\xa1k\x81\xa1x\xc4\x04" "abcd\xa1l\xc4\x01" "e") && at == 16 && size == 1);
    assert(FIND("\x81\xa1k\xc5\x00\x03" "abc") && at == 6 && size == 3);
}

static void other_messages_have_none(void) {
    size_t at, size;
    assert(!FIND("") && !FIND("\x80") && !FIND("\xc4\x01x") && !FIND("\x91\xc4\x01x"));
    assert(!FIND("\x81\x01\xc4\x01x") && !FIND("\x81\xc4\x01k\xc4\x01x") && !FIND("\x81\xa1k\xc4\x00"));
    assert(!FIND("\x81\xa1k\xa3" "abc"));
}

static void truncated_and_random_messages_are_safe(void) {
    static const char text[] = "\x83\xa1k\x92\x01\xa2zz\xa1l\xc4\x05" "hello\xa1m\xc6\x00\x00\x00\x02" "yo";
    size_t at, size;
    for (size_t len = 0; len < sizeof text; len++) {
        (void)find(text, len, &at, &size);
    }
    uint32_t state = 1;
    for (int i = 0; i < 300000; i++) {
        char bytes[24];
        for (size_t k = 0; k < sizeof bytes; k++) {
            state = state * 1664525u + 1013904223u;
            bytes[k] = (char)(state >> 24);
        }
        bytes[0] = (char)(0x81 + i % 3);
        bytes[1] = (char)(i % 2 ? 0xa1 : bytes[1]);
        bytes[3] = (char)(i % 4 == 3 ? 0xc4 : bytes[3]);
        bytes[4] = (char)(i % 4 == 3 ? bytes[4] & 31 : bytes[4]);
        (void)find(bytes, (size_t)i % sizeof bytes, &at, &size);
        (void)ddf_payload_matches((const uint8_t *)bytes, sizeof bytes, (size_t)(state % 30), (size_t)(state % 7));
    }
}

int main(void) {
    the_longest_direct_binary_is_found();
    other_messages_have_none();
    truncated_and_random_messages_are_safe();
    return 0;
}
