/* Key hashes, keys files and legacy indexes of any bytes, next to the slowest way to find the same. */
#include <stdlib.h>

#include "ddf_keys.h"
#include "ddf_token.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MOST 512

static int64_t index_of(const uint64_t *hashes, uint64_t n, uint64_t hash) {
    for (uint64_t i = 0; i < n; i++) {
        if (hashes[i] == hash) {
            return (int64_t)i;
        }
    }
    return -1;
}

/* The first hash that equals an earlier one, or n. */
static uint64_t first_double(const uint64_t *hashes, uint64_t n) {
    uint64_t i = 0;
    while (i < n && index_of(hashes, i, hashes[i]) < 0) {
        i++;
    }
    return i;
}

static void table_finds_what_there_is(const uint8_t *p, size_t size, unsigned slot_size) {
    uint64_t n = size / 8 < MOST ? size / 8 : MOST, hashes[MOST];
    ddf_keytable *table;
    ddf_err err = {0};
    for (uint64_t i = 0; i < n; i++) {
        hashes[i] = ddf_load64(p + 8 * i);
    }
    int status = ddf_keytable_new(p, n, slot_size, &table, &err);
    uint64_t twice = first_double(hashes, n);
    if (status < 0) {
        REQUIRE(err.item < n && (status == DDF_E_LIMIT || (status == DDF_E_COLLISION && err.item == twice)));
        return;
    }
    REQUIRE(twice == n);
    for (uint64_t i = 0; i < n; i++) {
        REQUIRE(ddf_keytable_find(table, hashes[i]) == (int64_t)i);
        for (unsigned bit = 0; bit < 64; bit += 7) {
            uint64_t other = hashes[i] ^ (uint64_t)1 << bit;
            REQUIRE(ddf_keytable_find(table, other) == index_of(hashes, n, other));
        }
    }
    REQUIRE(ddf_keytable_find(table, 0) == index_of(hashes, n, 0));
    ddf_keytable_free(table);
}

/* Where item `i` and what follows it starts, by walking token by token; NULL where that fails. */
static const uint8_t *walk(const uint8_t *p, const uint8_t *end, ddf_kind kind, uint64_t items, uint64_t *positions,
                           uint64_t *values) {
    ddf_token token;
    int code;
    const uint8_t *at = ddf_token_read(p, end, &token, &code);
    for (uint64_t i = 0; i < items && at != NULL; i++) {
        positions[i] = (uint64_t)(at - p);
        at = ddf_token_read(at, end, &token, &code);
        if (at == NULL || token.kind != DDF_STR || !ddf_utf8_valid(token.data, token.len)) {
            return NULL;
        }
        if (kind == DDF_MAP) {
            at = ddf_token_read(at, end, &token, &code);
            if (at == NULL || token.kind != DDF_INT || token.value.i < 0) {
                return NULL;
            }
            values[i] = (uint64_t)token.value.i;
        }
    }
    return at == end ? at : NULL;
}

static void hashes_do_not_depend_on_neighbours(const ddf_slice *keys, size_t n) {
    static const uint8_t SALT[DDF_SALT_SIZE] = "fuzzing";
    uint64_t all[MOST], one;
    ddf_keys_hash(keys, n, SALT, all);
    for (size_t i = 0; i < n; i++) {
        ddf_keys_hash(keys + i, 1, SALT, &one);
        REQUIRE(one == all[i]);
    }
}

static void strings_are_those_of_a_walk(const uint8_t *p, size_t size, ddf_kind kind) {
    uint64_t positions[MOST], values[MOST], walked[MOST], numbers[MOST];
    ddf_slice texts[MOST];
    ddf_err err = {0};
    int64_t n = ddf_strings_count(p, size, kind, &err);
    REQUIRE(n <= (int64_t)size);
    if (n < 0 || n > MOST) {
        return;
    }
    uint64_t count = (uint64_t)n;
    int status = ddf_strings_scan(p, size, kind, positions, kind == DDF_MAP ? values : NULL, count, &err);
    const uint8_t *end = walk(p, p + size, kind, count, walked, numbers);
    REQUIRE((status == DDF_OK) == (end != NULL));
    if (status < 0) {
        REQUIRE(err.code == status && err.item <= count && err.pos <= size);
        return;
    }
    REQUIRE(memcmp(positions, walked, count * sizeof *positions) == 0);
    REQUIRE(kind != DDF_MAP || memcmp(values, numbers, count * sizeof *values) == 0);
    REQUIRE(ddf_strings_get(p, size, positions, count, NULL, 0, (size_t)count, texts, &err) == DDF_OK);
    for (uint64_t i = 0; i < count; i++) {
        REQUIRE(texts[i].data > p + positions[i] && texts[i].data + texts[i].size <= p + size);
    }
    hashes_do_not_depend_on_neighbours(texts, (size_t)count);
}

/* A scan of one file, used on another: nothing outside it is read. */
static void positions_of_another_file_do_no_harm(const uint8_t *p, size_t size, uint64_t position) {
    ddf_slice text;
    ddf_err err = {0};
    int64_t index = 0, outside = 1;
    int status = ddf_strings_get(p, size, &position, 1, &index, 0, 1, &text, &err);
    REQUIRE(status == DDF_E_TYPE || (status == DDF_OK && text.data >= p && text.data + text.size <= p + size));
    REQUIRE(ddf_strings_get(p, size, &position, 1, &outside, 0, 1, &text, &err) == DDF_E_INDEX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const uint8_t *p = data + 1;
    table_finds_what_there_is(p, size - 1, data[0] & 1 ? 0 : data[0] & 2 ? 4 : 8);
    strings_are_those_of_a_walk(p, size - 1, DDF_ARRAY);
    strings_are_those_of_a_walk(p, size - 1, DDF_MAP);
    positions_of_another_file_do_no_harm(p, size - 1, data[0]);
    return 0;
}
