#include "ddf_scan.h"

#include "ddf_msgpack.h"

/* Find the key of a message that is known to be intact. If there are several, the last one is used, as in decoding. */
static void find_key(const uint8_t *base, ddf_scanned *sample) {
    const uint8_t *p = base + sample->start, *end = base + sample->stop;
    ddf_token token = {.kind = DDF_NIL};
    int status;
    const uint8_t *next = ddf_token_read(p, end, &token, &status);
    sample->kind = token.kind == DDF_MAP ? DDF_KEY_NONE : DDF_KEY_NO_MAP;
    uint32_t pairs = token.kind == DDF_MAP ? token.len : 0;
    for (; pairs > 0; pairs--) {
        const uint8_t *name = next;
        next = ddf_token_read(name, end, &token, &status);
        int found = token.kind == DDF_STR && token.len == 3 && memcmp(token.data, "key", 3) == 0;
        if (token.kind >= DDF_ARRAY) {
            next = ddf_msgpack_skip(name, end, base, NULL);
        }
        const uint8_t *value = next;
        next = ddf_token_read(value, end, &token, &status);
        if (found) {
            sample->kind = token.kind == DDF_STR ? DDF_KEY_TEXT : DDF_KEY_OTHER;
            sample->key_at = token.kind == DDF_STR ? (uint64_t)(token.data - base) : 0;
            sample->key_size = token.kind == DDF_STR ? token.len : 0;
        }
        if (token.kind >= DDF_ARRAY) {
            next = ddf_msgpack_skip(value, end, base, NULL);
        }
    }
}

static void enter(const uint8_t *base, const uint8_t *start, const uint8_t *stop, ddf_scanned *out) {
    *out = (ddf_scanned){.start = (uint64_t)(start - base), .stop = (uint64_t)(stop - base)};
    find_key(base, out);
}

int64_t ddf_scan_run(const uint8_t *p, size_t len, ddf_scanned *out, size_t room, ddf_err *err) {
    const uint8_t *at = p, *end = p + len;
    size_t n = 0;
    while (n < room && at < end) {
        uint64_t need = 0;
        const uint8_t *stop = ddf_msgpack_pass(at, end, &need, err);
        if (stop == NULL) {
            err->item = need;
            return n > 0 ? (int64_t)n : err->code;
        }
        enter(p, at, stop, &out[n++]);
        at = stop;
    }
    return (int64_t)n;
}

int64_t ddf_scan_spans(const uint8_t *p, size_t len, uint64_t base, const ddf_span *spans, size_t n, ddf_scanned *out,
                       ddf_err *err) {
    for (size_t i = 0; i < n; i++) {
        ddf_span span = spans[i];
        int status;
        if (span.start < base || span.start > span.stop || span.stop - base > len) {
            status = ddf_fail(err, DDF_E_SPAN, "a span is outside of the bytes that were read", 0, 0);
        } else {
            const uint8_t *start = p + (span.start - base);
            status = ddf_msgpack_check(start, (size_t)(span.stop - span.start), 1, err);
        }
        if (status != DDF_OK) {
            return i > 0 ? (int64_t)i : status;
        }
        enter(p, p + (span.start - base), p + (span.stop - base), &out[i]);
    }
    return (int64_t)n;
}
