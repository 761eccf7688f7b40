#include "ddf_msgpack.h"

static const char *reason(int status) {
    return status == DDF_E_RESERVED ? "no msgpack value starts with byte 0xc1" : "value runs past the end of the sample";
}

/* Bytes from `p` on that a message takes at the least, which the buffer ends in: the value there, and one byte for each
 * that is to follow. Never less than one more than there are. */
static uint64_t least(const uint8_t *p, const uint8_t *end, const uint64_t *left, size_t depth) {
    ddf_token token = {.len = 0};
    int status;
    uint64_t have = (uint64_t)(end - p), need = 1;
    ddf_token_read(p, end, &token, &status);
    need += token.len;
    for (size_t d = 0; d <= depth; d++) {
        need += left[d];
    }
    return need > have ? need : have + 1;
}

/* One value and all it holds. `left[d]` counts the values still open at depth d, so that no recursion is needed. */
static const uint8_t *walk(const uint8_t *p, const uint8_t *end, const uint8_t *base, int utf8, uint64_t *need,
                           ddf_err *err) {
    uint64_t left[DDF_MAX_DEPTH + 1];
    size_t depth = 0;
    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0) {
                return p;
            }
            depth--;
        }
        left[depth]--;
        ddf_token token;
        int status = 0;
        const uint8_t *next = ddf_token_read(p, end, &token, &status);
        if (DDF_UNLIKELY(next == NULL)) {
            if (need != NULL && status == DDF_E_TRUNCATED) {
                *need = (uint64_t)(p - base) + least(p, end, left, depth);
            }
            ddf_fail(err, status, reason(status), 0, (uint64_t)(p - base));
            return NULL;
        }
        if (token.kind >= DDF_ARRAY) {
            if (DDF_UNLIKELY(depth == DDF_MAX_DEPTH)) {
                ddf_fail(err, DDF_E_DEPTH, "arrays and maps are nested too deeply", 0, (uint64_t)(p - base));
                return NULL;
            }
            left[++depth] = token.kind == DDF_MAP ? 2 * (uint64_t)token.len : token.len;
        } else if (utf8 && token.kind == DDF_STR && DDF_UNLIKELY(!ddf_utf8_valid(token.data, token.len))) {
            ddf_fail(err, DDF_E_UTF8, "string is not valid UTF-8", 0, (uint64_t)(p - base));
            return NULL;
        }
        p = next;
    }
}

const uint8_t *ddf_msgpack_skip(const uint8_t *p, const uint8_t *end, const uint8_t *base, ddf_err *err) {
    return walk(p, end, base, 0, NULL, err);
}

const uint8_t *ddf_msgpack_pass(const uint8_t *p, const uint8_t *end, uint64_t *need, ddf_err *err) {
    return walk(p, end, p, 1, need, err);
}

int ddf_msgpack_check(const uint8_t *p, size_t len, int utf8, ddf_err *err) {
    ddf_err local;
    err = err == NULL ? &local : err;
    const uint8_t *stop = walk(p, p + len, p, utf8, NULL, err);
    if (stop == NULL) {
        return err->code;
    }
    if (stop != p + len) {
        return ddf_fail(err, DDF_E_TRAILING, "bytes follow the end of the message", 0, (uint64_t)(stop - p));
    }
    return DDF_OK;
}

int ddf_msgpack_check_run(const uint8_t *p, size_t len, const uint64_t *ends, size_t n, int utf8, ddf_err *err) {
    uint64_t start = 0;
    for (size_t i = 0; i < n; i++) {
        if (ends[i] < start || ends[i] > len) {
            return ddf_fail(err, DDF_E_SPAN, "a sample ends before it starts, or outside of the buffer", i, 0);
        }
        ddf_err local;
        int status = ddf_msgpack_check(p + start, ends[i] - start, utf8, &local);
        if (status != DDF_OK) {
            return ddf_fail(err, status, local.msg, i, local.pos);
        }
        start = ends[i];
    }
    return start == len ? DDF_OK : ddf_fail(err, DDF_E_SPAN, "bytes follow the last sample", n, 0);
}

int64_t ddf_msgpack_split(const uint8_t *p, size_t len, uint64_t *offsets, size_t room, ddf_err *err) {
    const uint8_t *end = p + len;
    const uint8_t *at = p;
    size_t n = 0;
    while (at < end) {
        if (n < room) {
            offsets[n] = (uint64_t)(at - p);
        }
        ddf_err local;
        at = walk(at, end, p, 0, NULL, &local);
        if (at == NULL) {
            return ddf_fail(err, local.code, local.msg, n, local.pos);
        }
        n++;
    }
    return (int64_t)n;
}

int ddf_utf8_valid(const uint8_t *p, size_t len) {
    const uint8_t *end = p + len;
    while (p < end) {
        while ((size_t)(end - p) >= 8) { /* eight ASCII bytes at a time */
            uint64_t word;
            memcpy(&word, p, 8);
            if (word & 0x8080808080808080u) {
                break;
            }
            p += 8;
        }
        if (p == end) {
            break;
        }
        uint8_t c = *p;
        if (c < 0x80) {
            p++;
            continue;
        }
        /* Bounds of the second byte rule out overlong forms, surrogates and code points above U+10FFFF. */
        size_t extra = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) <= extra || p[1] < low || p[1] > high) {
            return 0;
        }
        for (size_t i = 2; i <= extra; i++) {
            if ((p[i] & 0xc0) != 0x80) {
                return 0;
            }
        }
        p += extra + 1;
    }
    return 1;
}
