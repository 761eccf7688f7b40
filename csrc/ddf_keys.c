#include "ddf_keys.h"

#include <errno.h>
#include <stdlib.h>

#include "ddf_sys.h"

/* -- hashes: BLAKE2s, RFC 7693 -- */

#define BLOCK 64

static const uint32_t IV[8] = {
    0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
};

static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/* Digest of 32 bytes, no key, a tree of one leaf: the parameter block's first word. */
#define PARAMETERS 0x01010020u

static inline uint32_t load_le32(const uint8_t *p) {
    uint32_t v = ddf_load32(p);
    return __builtin_bswap32(v);
}

/* The macros work on one message (words of uint32_t) and on several side by side (words of lanes) alike. */
#define ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

#define MIX(a, b, c, d, x, y)                                                                                          \
    do {                                                                                                               \
        a = a + b + (x);                                                                                               \
        d = ROTR(d ^ a, 16);                                                                                           \
        c = c + d;                                                                                                     \
        b = ROTR(b ^ c, 12);                                                                                           \
        a = a + b + (y);                                                                                               \
        d = ROTR(d ^ a, 8);                                                                                            \
        c = c + d;                                                                                                     \
        b = ROTR(b ^ c, 7);                                                                                            \
    } while (0)

/* Spelled out round by round below, so that the table of message words folds into the code. */
#define ROUND(v, m, r)                                                                                                 \
    do {                                                                                                               \
        MIX(v[0], v[4], v[8], v[12], m[SIGMA[r][0]], m[SIGMA[r][1]]);                                                  \
        MIX(v[1], v[5], v[9], v[13], m[SIGMA[r][2]], m[SIGMA[r][3]]);                                                  \
        MIX(v[2], v[6], v[10], v[14], m[SIGMA[r][4]], m[SIGMA[r][5]]);                                                 \
        MIX(v[3], v[7], v[11], v[15], m[SIGMA[r][6]], m[SIGMA[r][7]]);                                                 \
        MIX(v[0], v[5], v[10], v[15], m[SIGMA[r][8]], m[SIGMA[r][9]]);                                                 \
        MIX(v[1], v[6], v[11], v[12], m[SIGMA[r][10]], m[SIGMA[r][11]]);                                               \
        MIX(v[2], v[7], v[8], v[13], m[SIGMA[r][12]], m[SIGMA[r][13]]);                                                \
        MIX(v[3], v[4], v[9], v[14], m[SIGMA[r][14]], m[SIGMA[r][15]]);                                                \
    } while (0)

#define ROUNDS(v, m)                                                                                                   \
    do {                                                                                                               \
        ROUND(v, m, 0);                                                                                                \
        ROUND(v, m, 1);                                                                                                \
        ROUND(v, m, 2);                                                                                                \
        ROUND(v, m, 3);                                                                                                \
        ROUND(v, m, 4);                                                                                                \
        ROUND(v, m, 5);                                                                                                \
        ROUND(v, m, 6);                                                                                                \
        ROUND(v, m, 7);                                                                                                \
        ROUND(v, m, 8);                                                                                                \
        ROUND(v, m, 9);                                                                                                \
    } while (0)

/* Two words of a digest, in the order of memory: the first two are a key's hash. */
static inline uint64_t hash_from(uint32_t h0, uint32_t h1) {
    return (uint64_t)__builtin_bswap32(h0) << 32 | __builtin_bswap32(h1);
}

/* `counted`: bytes hashed so far, this block's included, its padding not. */
static void compress(uint32_t h[8], const uint8_t *block, uint64_t counted, int last) {
    uint32_t m[16], v[16];
    for (size_t i = 0; i < 16; i++) {
        m[i] = load_le32(block + 4 * i);
    }
    for (size_t i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = IV[i];
    }
    v[12] ^= (uint32_t)counted;
    v[13] ^= (uint32_t)(counted >> 32);
    v[14] ^= last ? UINT32_MAX : 0;
    ROUNDS(v, m);
    for (size_t i = 0; i < 8; i++) {
        h[i] ^= v[i] ^ v[i + 8];
    }
}

/* `second` may be NULL, here and below. */
static void hash_one(ddf_slice key, const uint32_t start[8], uint64_t *first, uint64_t *second) {
    uint32_t h[8];
    memcpy(h, start, sizeof h);
    uint64_t at = 0;
    for (; key.size - at > BLOCK; at += BLOCK) { /* the last block is compressed below, even when it is full */
        compress(h, key.data + at, at + BLOCK, 0);
    }
    uint8_t block[BLOCK] = {0};
    if (key.size > at) {
        memcpy(block, key.data + at, (size_t)(key.size - at));
    }
    compress(h, block, key.size, 1);
    *first = hash_from(h[0], h[1]);
    if (second != NULL) {
        *second = hash_from(h[2], h[3]);
    }
}

#define LANES 4

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

static inline lanes gather(const uint8_t *p, size_t stride) {
    return (lanes){load_le32(p), load_le32(p + stride), load_le32(p + 2 * stride), load_le32(p + 3 * stride)};
}

static int fit_one_block(const ddf_slice *keys) {
    return keys[0].size <= BLOCK && keys[1].size <= BLOCK && keys[2].size <= BLOCK && keys[3].size <= BLOCK;
}

/* LANES keys of one block each, twice to four times as fast as one after the other. */
static void hash_lanes(const ddf_slice *keys, const uint32_t start[8], uint64_t *first, uint64_t *second) {
    uint8_t blocks[LANES][BLOCK] = {{0}};
    lanes m[16], v[16], sizes = {0};
    for (size_t k = 0; k < LANES; k++) {
        if (keys[k].size > 0) {
            memcpy(blocks[k], keys[k].data, (size_t)keys[k].size);
        }
        sizes[k] = (uint32_t)keys[k].size;
    }
    for (size_t i = 0; i < 16; i++) {
        m[i] = gather(blocks[0] + 4 * i, BLOCK);
    }
    const lanes zero = {0};
    for (size_t i = 0; i < 8; i++) {
        v[i] = zero + start[i];
        v[i + 8] = zero + IV[i];
    }
    v[12] ^= sizes;
    v[14] = ~v[14]; /* these blocks are their messages' last */
    ROUNDS(v, m);
    lanes h0 = v[0] ^ v[8] ^ start[0], h1 = v[1] ^ v[9] ^ start[1];
    lanes h2 = v[2] ^ v[10] ^ start[2], h3 = v[3] ^ v[11] ^ start[3];
    for (size_t k = 0; k < LANES; k++) {
        first[k] = hash_from(h0[k], h1[k]);
        if (second != NULL) {
            second[k] = hash_from(h2[k], h3[k]);
        }
    }
}

static void hash_all(const ddf_slice *keys, size_t n, const uint8_t salt[DDF_SALT_SIZE], uint64_t *first,
                     uint64_t *second) {
    uint32_t start[8];
    memcpy(start, IV, sizeof start);
    start[0] ^= PARAMETERS;
    start[4] ^= load_le32(salt);
    start[5] ^= load_le32(salt + 4);
    for (size_t i = 0, step; i < n; i += step) {
        uint64_t *then = second == NULL ? NULL : second + i;
        if (n - i >= LANES && fit_one_block(keys + i)) {
            hash_lanes(keys + i, start, first + i, then);
            step = LANES;
        } else {
            hash_one(keys[i], start, first + i, then);
            step = 1;
        }
    }
}

void ddf_keys_hash(const ddf_slice *keys, size_t n, const uint8_t salt[DDF_SALT_SIZE], uint64_t *out) {
    hash_all(keys, n, salt, out, NULL);
}

/* -- filter -- */

void ddf_keys_hash_pairs(const ddf_slice *keys, size_t n, uint64_t *first, uint64_t *second) {
    static const uint8_t unsalted[DDF_SALT_SIZE] = {0};
    hash_all(keys, n, unsalted, first, second);
}

void ddf_keys_bloom_add(uint8_t *filter, uint64_t bits, uint64_t probes, const uint64_t *first, const uint64_t *second,
                        size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (uint64_t k = 0, hash = first[i]; k < probes; k++, hash += second[i]) {
            uint64_t bit = hash % bits;
            filter[bit >> 3] |= (uint8_t)(1u << (bit & 7));
        }
    }
}

/* -- table -- */

/* Linear probing. A slot is 0, or the hash's index + 1 in its low bits and bits of the hash in the others: these
 * differ for nearly all other keys, so that building and finding rarely read the hashes. The index + 1 never needs more
 * bits than `mask` has, because a quarter of the slots stays empty. */
struct ddf_keytable {
    const uint8_t *hashes;
    uint64_t n;
    uint64_t mask; /* slots - 1 */
    size_t size;   /* bytes of the slots */
    int wide;      /* slots are uint64_t */
    void *slots;
};

/* Hashes ahead of the one being inserted whose slot is fetched. */
#define AHEAD 12

/* Steps past a taken slot that building may take for each hash. Evenly spread ones need about one on average. */
#define STEPS_PER_HASH 32
#define STEPS_LEAST 65536

static inline uint64_t slot_get(const ddf_keytable *t, uint64_t at) {
    return t->wide ? ((const uint64_t *)t->slots)[at] : ((const uint32_t *)t->slots)[at];
}

static inline void slot_set(ddf_keytable *t, uint64_t at, uint64_t slot) {
    if (t->wide) {
        ((uint64_t *)t->slots)[at] = slot;
    } else {
        ((uint32_t *)t->slots)[at] = (uint32_t)slot;
    }
}

static inline uint64_t hash_at(const ddf_keytable *t, uint64_t i) { return ddf_load64(t->hashes + 8 * i); }

/* Bits of the hash that did not choose the slot, where a slot has room for them. */
static inline uint64_t tag(const ddf_keytable *t, uint64_t hash) { return (t->wide ? hash : hash >> 32) & ~t->mask; }

static inline int holds(const ddf_keytable *t, uint64_t slot, uint64_t hash) {
    return (slot & ~t->mask) == tag(t, hash) && hash_at(t, (slot & t->mask) - 1) == hash;
}

static inline void fetch_slot(const ddf_keytable *t, uint64_t i) {
    uint64_t at = hash_at(t, i) & t->mask;
    __builtin_prefetch((const uint8_t *)t->slots + at * (t->wide ? 8 : 4), 1);
}

static int insert_all(ddf_keytable *t, ddf_err *err) {
    uint64_t steps_left = STEPS_PER_HASH * t->n + STEPS_LEAST;
    for (uint64_t i = 0; i < t->n; i++) {
        if (i + AHEAD < t->n) {
            fetch_slot(t, i + AHEAD);
        }
        uint64_t hash = hash_at(t, i), at = hash & t->mask, slot;
        while ((slot = slot_get(t, at)) != 0) {
            if (DDF_UNLIKELY(holds(t, slot, hash))) {
                return ddf_fail(err, DDF_E_COLLISION, "two keys have the same hash", i, 8 * i);
            }
            if (DDF_UNLIKELY(steps_left-- == 0)) {
                return ddf_fail(err, DDF_E_LIMIT, "the hashes are too uneven to be hashes of keys", i, 8 * i);
            }
            at = (at + 1) & t->mask;
        }
        slot_set(t, at, tag(t, hash) | (i + 1));
    }
    return DDF_OK;
}

/* The smallest power of two of which `n` is at most three quarters. */
static uint64_t slots_for(uint64_t n) {
    uint64_t slots = 4;
    while (slots - slots / 4 < n) {
        slots *= 2;
    }
    return slots;
}

int ddf_keytable_new(const uint8_t *hashes, uint64_t n, unsigned slot_size, ddf_keytable **out, ddf_err *err) {
    int wide = slot_size == 8 || n >= UINT32_MAX;
    if (n > SIZE_MAX / 32) { /* 8/3 n slots of 8 bytes at most */
        return ddf_fail(err, DDF_E_LIMIT, "more hashes than memory can hold", 0, 0);
    }
    ddf_keytable *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return -ENOMEM;
    }
    uint64_t slots = slots_for(n);
    *t = (ddf_keytable){.hashes = hashes, .n = n, .mask = slots - 1, .size = slots * (wide ? 8 : 4), .wide = wide};
    t->slots = ddf_sys_memory(t->size);
    int status = t->slots == NULL ? -ENOMEM : insert_all(t, err);
    if (status < 0) {
        ddf_keytable_free(t);
        return status;
    }
    *out = t;
    return DDF_OK;
}

void ddf_keytable_free(ddf_keytable *table) {
    if (table != NULL && table->slots != NULL) {
        ddf_sys_memory_free(table->slots, table->size);
    }
    free(table);
}

int64_t ddf_keytable_find(const ddf_keytable *table, uint64_t hash) {
    uint64_t slot;
    for (uint64_t at = hash & table->mask; (slot = slot_get(table, at)) != 0; at = (at + 1) & table->mask) {
        if (holds(table, slot, hash)) {
            return (int64_t)((slot & table->mask) - 1);
        }
    }
    return -1;
}

uint64_t ddf_keytable_size(const ddf_keytable *table) { return table->size; }

/* -- files of strings -- */

static const char *reason(int status) {
    return status == DDF_E_RESERVED ? "no msgpack value starts with byte 0xc1" : "value runs past the end of the file";
}

/* A token that must be of one kind; item and position are for `err`. */
static const uint8_t *expect(const uint8_t *p, const uint8_t *base, size_t len, ddf_kind kind, const char *otherwise,
                             uint64_t item, ddf_token *token, ddf_err *err) {
    int status = DDF_OK;
    const uint8_t *next = ddf_token_read(p, base + len, token, &status);
    if (DDF_UNLIKELY(next == NULL)) {
        ddf_fail(err, status, reason(status), item, (uint64_t)(p - base));
    } else if (DDF_UNLIKELY(token->kind != kind)) {
        ddf_fail(err, DDF_E_TYPE, otherwise, item, (uint64_t)(p - base));
        return NULL;
    }
    return next;
}

static const uint8_t *read_header(const uint8_t *p, size_t len, ddf_kind kind, uint64_t *n, ddf_err *err) {
    ddf_token token = {.len = 0};
    const char *otherwise = kind == DDF_MAP ? "the file is not one map" : "the file is not one array";
    const uint8_t *next = expect(p, p, len, kind, otherwise, 0, &token, err);
    if (next == NULL) {
        return NULL;
    }
    uint64_t least = kind == DDF_MAP ? 2 : 1; /* bytes of an item */
    if (token.len > (uint64_t)(p + len - next) / least) {
        ddf_fail(err, DDF_E_TRUNCATED, "the file is too short for the number of items in its header", 0, 0);
        return NULL;
    }
    *n = token.len;
    return next;
}

int64_t ddf_strings_count(const uint8_t *p, size_t len, ddf_kind kind, ddf_err *err) {
    ddf_err local;
    err = err == NULL ? &local : err;
    uint64_t n = 0;
    return read_header(p, len, kind, &n, err) == NULL ? err->code : (int64_t)n;
}

static const uint8_t *read_value(const uint8_t *p, const uint8_t *base, size_t len, uint64_t item, uint64_t *value,
                                 ddf_err *err) {
    ddf_token token;
    const char *otherwise = "an offset is not an integer from 0 to 2^63 - 1";
    const uint8_t *next = expect(p, base, len, DDF_INT, otherwise, item, &token, err);
    if (next == NULL) {
        return NULL;
    }
    if (token.value.i < 0) {
        ddf_fail(err, DDF_E_TYPE, otherwise, item, (uint64_t)(p - base));
        return NULL;
    }
    *value = (uint64_t)token.value.i;
    return next;
}

int ddf_strings_scan(const uint8_t *p, size_t len, ddf_kind kind, uint64_t *positions, uint64_t *values, uint64_t n,
                     ddf_err *err) {
    ddf_err local;
    err = err == NULL ? &local : err;
    uint64_t announced = 0;
    const uint8_t *at = read_header(p, len, kind, &announced, err);
    if (at == NULL) {
        return err->code;
    }
    if (announced != n) {
        return ddf_fail(err, DDF_E_CHANGED, "the file was changed while it was open", 0, 0);
    }
    for (uint64_t i = 0; i < n; i++) {
        ddf_token token;
        positions[i] = (uint64_t)(at - p);
        const uint8_t *next = expect(at, p, len, DDF_STR, "a key is not a string", i, &token, err);
        if (next == NULL) {
            return err->code;
        }
        if (DDF_UNLIKELY(!ddf_utf8_valid(token.data, token.len))) {
            return ddf_fail(err, DDF_E_UTF8, "a key is not valid UTF-8", i, positions[i]);
        }
        at = kind == DDF_MAP ? read_value(next, p, len, i, &values[i], err) : next;
        if (at == NULL) {
            return err->code;
        }
    }
    if (at != p + len) {
        return ddf_fail(err, DDF_E_TRAILING, "bytes follow the last item", n, (uint64_t)(at - p));
    }
    return DDF_OK;
}

int ddf_strings_get(const uint8_t *p, size_t len, const uint64_t *positions, uint64_t n, const int64_t *indices,
                    uint64_t first, size_t count, ddf_slice *out, ddf_err *err) {
    for (size_t i = 0; i < count; i++) {
        uint64_t index = indices == NULL ? first + i : (uint64_t)indices[i];
        if (DDF_UNLIKELY(index >= n)) {
            return ddf_fail(err, DDF_E_INDEX, "the file has no key of this index", i, 0);
        }
        ddf_token token;
        int status = DDF_OK;
        if (DDF_UNLIKELY(positions[index] >= len ||
                         ddf_token_read(p + positions[index], p + len, &token, &status) == NULL ||
                         token.kind != DDF_STR)) {
            return ddf_fail(err, DDF_E_TYPE, "the file was changed while it was open", i, positions[index]);
        }
        out[i] = (ddf_slice){.data = token.data, .size = token.len};
    }
    return DDF_OK;
}
