#include "ddf_payload.h"

#include "ddf_msgpack.h"

/* Go through the pairs of the outermost map that begin before `limit`. `visit` returns 1 to end the walk. */
typedef struct search {
    size_t limit;    /* values that begin here or later are ignored */
    size_t want;     /* position of the requested payload; 0: the longest */
    size_t at, size; /* what was found */
} search;

static int visit(search *s, const uint8_t *p, const ddf_token *token) {
    size_t at = (size_t)(token->data - p);
    if (s->want == 0 ? token->len > s->size : at == s->want) {
        s->at = at;
        s->size = token->len;
    }
    return at == s->want;
}

static void walk(const uint8_t *p, size_t len, search *s) {
    const uint8_t *end = p + len;
    ddf_token token;
    int status;
    const uint8_t *next = ddf_token_read(p, end, &token, &status);
    if (next == NULL || token.kind != DDF_MAP) {
        return;
    }
    for (uint32_t left = token.len; left > 0 && (size_t)(next - p) < s->limit; left--) {
        next = ddf_token_read(next, end, &token, &status);
        if (next == NULL || token.kind != DDF_STR || (size_t)(next - p) >= s->limit) {
            return;
        }
        const uint8_t *value = next;
        next = ddf_token_read(value, end, &token, &status);
        if (next != NULL && token.kind == DDF_BIN && visit(s, p, &token)) {
            return;
        }
        if (next != NULL && token.kind >= DDF_ARRAY) {
            next = ddf_msgpack_skip(value, s->want == 0 ? end : p + s->limit, p, NULL);
        }
        if (next == NULL) {
            return;
        }
    }
}

int ddf_payload_find(const uint8_t *p, size_t len, size_t *at, size_t *size) {
    search s = {.limit = len};
    if (len > 0) {
        walk(p, len, &s);
    }
    *at = s.at;
    *size = s.size;
    return s.size > 0;
}

int ddf_payload_matches(const uint8_t *p, size_t len, size_t at, size_t size) {
    search s = {.limit = at, .want = at};
    if (at == 0 || at > len || size > len - at) {
        return 0;
    }
    walk(p, len, &s);
    return s.at == at && s.size == size;
}
