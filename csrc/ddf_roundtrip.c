#include "ddf_roundtrip.h"

#include "ddf_msgpack.h"
#include "ddf_nd.h"

/* Keys of all maps that are open at one time. */
#define MAX_OPEN_KEYS 512

typedef struct frame {
    uint64_t left;      /* values that are still to come; keys and values of a map alternate, so an even rest is a key */
    uint32_t first_key; /* of this map, in walker.keys */
    uint8_t is_map;
    uint8_t marked; /* a reserved key was seen */
} frame;

typedef struct walker {
    const uint8_t *end;
    uint64_t marked; /* maps with a reserved key */
    int plain;
    uint32_t depth;
    uint32_t key_count;
    frame frames[DDF_MAX_DEPTH + 1];
    ddf_slice keys[MAX_OPEN_KEYS]; /* with their headers */
} walker;

static int is_reserved(const ddf_token *key) {
    return key->kind == DDF_BIN && ((key->len == 2 && memcmp(key->data, "nd", 2) == 0) ||
                                    (key->len == 7 && memcmp(key->data, "complex", 7) == 0));
}

/* Remember a key of the innermost map, unless it is remembered already or the list is full. */
static void add_key(walker *w, const frame *map, const uint8_t *start, const uint8_t *stop) {
    uint64_t size = (uint64_t)(stop - start);
    if (w->key_count == MAX_OPEN_KEYS || w->key_count - map->first_key == DDF_ROUNDTRIP_MAX_PAIRS) {
        w->plain = 0;
        return;
    }
    for (uint32_t i = map->first_key; i < w->key_count; i++) {
        if (w->keys[i].size == size && memcmp(w->keys[i].data, start, size) == 0) {
            w->plain = 0;
            return;
        }
    }
    w->keys[w->key_count].data = start;
    w->keys[w->key_count].size = size;
    w->key_count++;
}

static void look_at_key(walker *w, frame *map, const ddf_token *key, const uint8_t *start, const uint8_t *stop) {
    if (key->kind != DDF_STR && key->kind != DDF_BIN && key->kind != DDF_INT && key->kind != DDF_UINT) {
        w->plain = 0;
        return;
    }
    if (!map->marked && is_reserved(key)) {
        map->marked = 1;
        w->marked++;
    }
    add_key(w, map, start, stop);
}

static int open_container(walker *w, const ddf_token *token) {
    if (w->depth == DDF_MAX_DEPTH) {
        return DDF_E_DEPTH;
    }
    frame *f = &w->frames[++w->depth];
    f->is_map = token->kind == DDF_MAP;
    f->left = f->is_map ? 2 * (uint64_t)token->len : token->len;
    f->first_key = w->key_count;
    f->marked = 0;
    return DDF_OK;
}

/* Close what is full. Returns 0 when the message is over. */
static int close_containers(walker *w) {
    while (w->frames[w->depth].left == 0) {
        if (w->depth == 0) {
            return 0;
        }
        w->key_count = w->frames[w->depth].first_key;
        w->depth--;
    }
    return 1;
}

/* Look at the value or key at `p`. Returns where the next one starts, or NULL with `*status` set. */
static const uint8_t *step(walker *w, const uint8_t *p, int *status) {
    frame *f = &w->frames[w->depth];
    int is_key = f->is_map && f->left % 2 == 0;
    f->left--;
    ddf_token token;
    const uint8_t *next = ddf_token_read(p, w->end, &token, status);
    if (next == NULL) {
        return NULL;
    }
    if (is_key) {
        look_at_key(w, f, &token, p, next);
    }
    if (token.kind < DDF_ARRAY) {
        return next;
    }
    ddf_nd nd;
    const uint8_t *after = token.kind == DDF_MAP ? ddf_nd_parse(p, w->end, &nd) : NULL;
    if (after != NULL) {
        w->marked++;
        return after;
    }
    *status = open_container(w, &token);
    return *status < 0 ? NULL : next;
}

int ddf_roundtrip_is_exact(const uint8_t *p, size_t len, uint64_t encoded, ddf_err *err) {
    walker w; /* large, and only the part that is used is filled */
    w.end = p + len;
    w.marked = 0;
    w.plain = 1;
    w.depth = 0;
    w.key_count = 0;
    w.frames[0] = (frame){.left = 1};
    const uint8_t *at = p;
    while (close_containers(&w)) {
        int status = DDF_OK;
        const uint8_t *next = step(&w, at, &status);
        if (next == NULL) {
            return ddf_fail(err, status, "not a well-formed msgpack message", 0, (uint64_t)(at - p));
        }
        at = next;
    }
    if (at != w.end) {
        return ddf_fail(err, DDF_E_TRAILING, "bytes follow the end of the message", 0, (uint64_t)(at - p));
    }
    return w.plain && w.marked == encoded;
}
