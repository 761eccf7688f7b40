#include <assert.h>
#include <stdlib.h>

#include "ddf_keys.h"

static uint64_t hash_of(const char *text, size_t size) {
    const uint8_t salt[DDF_SALT_SIZE] = {0};
    ddf_slice key = {.data = (const uint8_t *)text, .size = size};
    uint64_t out;
    ddf_keys_hash(&key, 1, salt, &out);
    return out;
}

static void known_digests_come_out(void) {
    assert(hash_of("abc", 3) == 0x508c5e8c327c14e2u); /* RFC 7693, appendix B */
    assert(hash_of(NULL, 0) == 0x69217a3079908094u);
}

static void pairs_begin_with_the_hash_of_no_salt(void) {
    ddf_slice keys[5] = {{NULL, 0}};
    uint64_t first[5], second[5];
    for (size_t i = 1; i < 5; i++) {
        keys[i] = (ddf_slice){(const uint8_t *)"abc", 3};
    }
    ddf_keys_hash_pairs(keys, 5, first, second);
    for (size_t i = 1; i < 5; i++) { /* four side by side, and one alone */
        assert(first[i] == 0x508c5e8c327c14e2u && second[i] == 0xe1a72ba34eeb452fu);
    }
    assert(first[0] == 0x69217a3079908094u && second[0] == 0xe11121d042354a7cu);
}

static void as_many_bits_are_set_as_there_are_probes(void) {
    const uint64_t first[2] = {3, 8}, second[2] = {5, UINT64_MAX};
    uint8_t filter[2] = {0, 0};
    ddf_keys_bloom_add(filter, 16, 3, first, second, 1); /* 3, 8, 13 */
    assert(filter[0] == 1 << 3 && filter[1] == (1 << 0 | 1 << 5));
    ddf_keys_bloom_add(filter, 16, 2, first + 1, second + 1, 1); /* 8, 7: sums wrap around */
    assert(filter[0] == (1 << 3 | 1 << 7) && filter[1] == (1 << 0 | 1 << 5));
}

static uint8_t *hashes_of(uint64_t n, uint64_t factor) {
    uint8_t *hashes = malloc((size_t)(8 * n + 1));
    assert(hashes != NULL);
    for (uint64_t i = 0; i < n; i++) {
        ddf_store64(hashes + 8 * i, i * factor + 1);
    }
    return hashes;
}

static void every_hash_is_found_and_no_other(unsigned slot_size) {
    const uint64_t factor = 0x9e3779b97f4a7c15u;
    for (uint64_t n = 0; n < 3000; n = n < 20 ? n + 1 : 2 * n) {
        uint8_t *hashes = hashes_of(n, factor);
        ddf_keytable *table;
        assert(ddf_keytable_new(hashes, n, slot_size, &table, NULL) == 0);
        for (uint64_t i = 0; i < n; i++) {
            assert(ddf_keytable_find(table, i * factor + 1) == (int64_t)i);
            assert(ddf_keytable_find(table, i * factor + 2) == -1);
        }
        assert(ddf_keytable_find(table, 0) == -1);
        ddf_keytable_free(table);
        free(hashes);
    }
}

static void equal_hashes_are_refused(unsigned slot_size) {
    ddf_err err;
    ddf_keytable *table;
    uint8_t *hashes = hashes_of(100, 0x9e3779b97f4a7c15u);
    memcpy(hashes + 8 * 70, hashes + 8 * 3, 8);
    assert(ddf_keytable_new(hashes, 100, slot_size, &table, &err) == DDF_E_COLLISION && err.item == 70);
    free(hashes);
}

/* Numbers that all choose the same slot must not make building quadratic. */
static void crowded_hashes_are_refused(void) {
    ddf_err err;
    ddf_keytable *table;
    uint8_t *hashes = hashes_of(200000, (uint64_t)1 << 32);
    assert(ddf_keytable_new(hashes, 200000, 0, &table, &err) == DDF_E_LIMIT && err.item > 0);
    free(hashes);
}

static int scan(const char *bytes, size_t len, ddf_kind kind, ddf_err *err) {
    uint8_t *copy = malloc(len + (len == 0));
    assert(copy != NULL);
    memcpy(copy, bytes, len);
    uint64_t positions[8], values[8];
    int64_t n = ddf_strings_count(copy, len, kind, err);
    assert(n <= 8);
    int status = n < 0 ? (int)n : ddf_strings_scan(copy, len, kind, positions, values, (uint64_t)n, err);
    free(copy);
    return status;
}

static void files_of_strings_are_scanned(void) {
    ddf_err err;
    assert(scan("\x92\xa1x\xa2yz", 6, DDF_ARRAY, &err) == 0);
    assert(scan("\x90", 1, DDF_ARRAY, &err) == 0);
    assert(scan("\x81\xa1x\x07", 4, DDF_MAP, &err) == 0);
}

static void damage_is_named(void) {
    ddf_err err;
    assert(scan("", 0, DDF_ARRAY, &err) == DDF_E_TRUNCATED);
    assert(scan("\x80", 1, DDF_ARRAY, &err) == DDF_E_TYPE);
    assert(scan("\xdd\xff\xff\xff\xff\xa0", 6, DDF_ARRAY, &err) == DDF_E_TRUNCATED && err.pos == 0);
    assert(scan("\x92\xa1x\xa2y", 5, DDF_ARRAY, &err) == DDF_E_TRUNCATED && err.item == 1 && err.pos == 3);
    assert(scan("\x91\x07", 2, DDF_ARRAY, &err) == DDF_E_TYPE && err.item == 0 && err.pos == 1);
    assert(scan("\x91\xc1", 2, DDF_ARRAY, &err) == DDF_E_RESERVED && err.pos == 1);
    assert(scan("\x91\xa1\xff", 3, DDF_ARRAY, &err) == DDF_E_UTF8 && err.pos == 1);
    assert(scan("\x91\xa1x\xa1x", 5, DDF_ARRAY, &err) == DDF_E_TRAILING && err.pos == 3);
    assert(scan("\x81\xa1x\xff", 4, DDF_MAP, &err) == DDF_E_TYPE && err.pos == 3);
}

static void strings_are_found_again(void) {
    const uint8_t *bytes = (const uint8_t *)"\x92\xa1x\xa2yz";
    uint64_t positions[2];
    ddf_slice out[2];
    ddf_err err;
    assert(ddf_strings_scan(bytes, 6, DDF_ARRAY, positions, NULL, 2, &err) == 0);
    assert(ddf_strings_get(bytes, 6, positions, 2, NULL, 0, 2, out, &err) == 0);
    assert(out[0].size == 1 && out[1].size == 2 && memcmp(out[1].data, "yz", 2) == 0);
    const int64_t indices[] = {1, 2, -1};
    assert(ddf_strings_get(bytes, 6, positions, 2, indices, 0, 1, out, &err) == 0 && out[0].size == 2);
    assert(ddf_strings_get(bytes, 6, positions, 2, indices, 0, 2, out, &err) == DDF_E_INDEX && err.item == 1);
    assert(ddf_strings_get(bytes, 6, positions, 2, indices + 2, 0, 1, out, &err) == DDF_E_INDEX && err.item == 0);
    assert(ddf_strings_get(bytes, 3, positions, 2, NULL, 1, 1, out, &err) == DDF_E_TYPE);
}

int main(void) {
    known_digests_come_out();
    pairs_begin_with_the_hash_of_no_salt();
    as_many_bits_are_set_as_there_are_probes();
    every_hash_is_found_and_no_other(4);
    every_hash_is_found_and_no_other(8);
    equal_hashes_are_refused(4);
    equal_hashes_are_refused(8);
    crowded_hashes_are_refused();
    files_of_strings_are_scanned();
    damage_is_named();
    strings_are_found_again();
    return 0;
}
