/* Differential fuzzing of the scanner: independent walks over the same bytes must tell the same. */
#include <stdlib.h>

#include "ddf_msgpack.h"
#include "ddf_nd.h"
#include "ddf_scan.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* The end of the value at `p`, by plain recursion; NULL with the code and place of the first damage. */
static const uint8_t *descend(const uint8_t *p, const uint8_t *end, unsigned depth, int *code, const uint8_t **at) {
    ddf_token token;
    const uint8_t *next = ddf_token_read(p, end, &token, code);
    *at = p;
    if (next == NULL) {
        return NULL;
    }
    REQUIRE(next > p && next <= end);
    if (token.kind < DDF_ARRAY) {
        if (token.kind == DDF_STR || token.kind == DDF_BIN || token.kind == DDF_EXT) {
            REQUIRE(token.data > p && token.data + token.len == next);
        }
        return next;
    }
    if (depth == DDF_MAX_DEPTH) {
        *code = DDF_E_DEPTH;
        return NULL;
    }
    uint64_t count = token.kind == DDF_MAP ? 2 * (uint64_t)token.len : token.len;
    for (uint64_t i = 0; i < count && next != NULL; i++) {
        next = descend(next, end, depth + 1, code, at);
    }
    return next;
}

static int utf8_by_value(const uint8_t *p, size_t len) {
    for (size_t i = 0; i < len;) {
        unsigned lead = p[i];
        size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
        if (size == 0 || size > len - i) {
            return 0;
        }
        unsigned point = size == 1 ? lead : lead & (0x7fu >> size);
        for (size_t k = 1; k < size; k++) {
            if (p[i + k] >> 6 != 2) {
                return 0;
            }
            point = point << 6 | (p[i + k] & 0x3fu);
        }
        static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
            return 0;
        }
        i += size;
    }
    return 1;
}

static void skip_agrees_with_recursion(const uint8_t *p, const uint8_t *end) {
    int code = 0;
    const uint8_t *at = p;
    ddf_err err = {0};
    const uint8_t *want = descend(p, end, 0, &code, &at);
    const uint8_t *got = ddf_msgpack_skip(p, end, p, &err);
    REQUIRE(got == want);
    REQUIRE(got != NULL || (err.code == code && err.pos == (uint64_t)(at - p)));
    ddf_err checked = {0};
    int status = ddf_msgpack_check(p, (size_t)(end - p), 0, &checked);
    if (got == NULL) {
        REQUIRE(status == err.code && checked.pos == err.pos);
    } else if (got != end) {
        REQUIRE(status == DDF_E_TRAILING && checked.pos == (uint64_t)(got - p));
    } else {
        REQUIRE(status == DDF_OK);
    }
    ddf_err strict = {0};
    int with_text = ddf_msgpack_check(p, (size_t)(end - p), 1, &strict);
    REQUIRE(with_text == status || with_text == DDF_E_UTF8);
    REQUIRE(with_text != DDF_E_UTF8 || status == DDF_OK || strict.pos < checked.pos);
}

static void split_agrees_with_skip(const uint8_t *p, const uint8_t *end) {
    enum { ROOM = 64 };
    uint64_t offsets[ROOM];
    ddf_err err = {0}, skipped = {0};
    int64_t n = ddf_msgpack_split(p, (size_t)(end - p), offsets, ROOM, &err);
    const uint8_t *at = p;
    uint64_t count = 0;
    while (at != NULL && at < end) {
        REQUIRE(count >= ROOM || offsets[count] == (uint64_t)(at - p));
        at = ddf_msgpack_skip(at, end, p, &skipped);
        count += at != NULL;
    }
    if (at != NULL) {
        REQUIRE(n == (int64_t)count);
    } else {
        REQUIRE(n == skipped.code && err.item == count && err.pos == skipped.pos);
    }
}

static void scan_agrees_with_split(const uint8_t *p, size_t size) {
    enum { ROOM = 64 };
    ddf_scanned found[ROOM];
    uint64_t offsets[ROOM];
    ddf_err err = {0}, ignored;
    int64_t n = ddf_scan_run(p, size, found, ROOM, &err);
    ddf_msgpack_split(p, size, offsets, ROOM, &ignored);
    REQUIRE(n >= 0 || n == err.code);
    REQUIRE(n != DDF_E_TRUNCATED || err.item > size);
    uint64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        REQUIRE(found[i].start == at && offsets[i] == at && found[i].stop > at && found[i].stop <= size);
        REQUIRE(ddf_msgpack_check(p + at, found[i].stop - at, 1, &ignored) == DDF_OK);
        REQUIRE(found[i].kind != DDF_KEY_TEXT ||
                (found[i].key_at > at && found[i].key_at + found[i].key_size <= found[i].stop));
        at = found[i].stop;
    }
}

static void nd_agrees_with_skip(const uint8_t *p, const uint8_t *end) {
    ddf_nd nd;
    const uint8_t *stop = ddf_nd_parse(p, end, &nd);
    if (stop == NULL) {
        return;
    }
    REQUIRE(stop == ddf_msgpack_skip(p, end, p, NULL));
    REQUIRE(nd.data > p && nd.data + nd.data_len <= stop);
    REQUIRE(nd.form == DDF_ND_COMPLEX || (nd.type > p && nd.type + nd.type_len < nd.data));
    REQUIRE(nd.ndim <= DDF_ND_MAX_DIMS);
    if (nd.form != DDF_ND_COMPLEX && ddf_nd_fits(&nd, 4)) {
        REQUIRE(nd.data_len % 4 == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nothing[1];
    const uint8_t *p = data == NULL ? nothing : data;
    skip_agrees_with_recursion(p, p + size);
    split_agrees_with_skip(p, p + size);
    scan_agrees_with_split(p, size);
    for (size_t i = 0; i < size; i++) {
        nd_agrees_with_skip(p + i, p + size);
    }
    REQUIRE(ddf_utf8_valid(p, size) == utf8_by_value(p, size));
    return 0;
}
