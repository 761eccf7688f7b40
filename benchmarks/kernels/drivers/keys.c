#include "ddf_keys.h"

#include <stdio.h>

#include "bench.h"

#define KEYS 5000

static const uint8_t SALT[DDF_SALT_SIZE] = "saltsalt";
static char texts[KEYS][32];
static ddf_slice keys[KEYS];
static uint64_t hashes[KEYS], positions[KEYS], values[KEYS];
static uint8_t *packed_hashes;
static ddf_keytable *table;
static bench_samples file;
static ddf_slice found[KEYS];

static void prepare_hash(void) {
    for (size_t i = 0; i < KEYS; i++) {
        int size = snprintf(texts[i], sizeof texts[i], "n%07zu/%07zu.jpg", i % 1000, i);
        keys[i] = (ddf_slice){(const uint8_t *)texts[i], (uint64_t)size};
    }
}

static void hash(void) {
    ddf_keys_hash(keys, KEYS, SALT, hashes);
    assert(hashes[0] != hashes[1]);
}

static void prepare_table(void) {
    prepare_hash();
    hash();
    packed_hashes = bench_table(hashes, KEYS);
}

static void new_table(void) {
    ddf_err err;
    assert(ddf_keytable_new(packed_hashes, KEYS, 0, &table, &err) == 0);
}

static void prepare_find(void) {
    prepare_table();
    new_table();
}

static void find(void) {
    for (size_t i = 0; i < KEYS; i++) {
        assert(ddf_keytable_find(table, hashes[i]) == (int64_t)i);
        assert(ddf_keytable_find(table, hashes[i] + 1) == -1);
    }
}

static void no_key(bench_samples *out, uint64_t i) { (void)out, (void)i; }

static void prepare_strings(void) {
    prepare_hash();
    file = bench_pack(0, no_key);
    pack_bytes(&file, "\xdd\0\0\x13\x88", 5); /* an array of 5000 */
    for (size_t i = 0; i < KEYS; i++) {
        pack_str(&file, texts[i]);
    }
}

static void scan(void) {
    ddf_err err;
    assert(ddf_strings_count(file.data, file.size, DDF_ARRAY, &err) == KEYS);
    assert(ddf_strings_scan(file.data, file.size, DDF_ARRAY, positions, values, KEYS, &err) == 0);
}

static void prepare_get(void) {
    prepare_strings();
    scan();
}

static void get(void) {
    ddf_err err;
    assert(ddf_strings_get(file.data, file.size, positions, KEYS, NULL, 0, KEYS, found, &err) == 0);
    assert(found[KEYS - 1].size == keys[KEYS - 1].size);
}

const bench_case BENCH_CASES[] = {
    {"hash", prepare_hash, hash},        {"table", prepare_table, new_table}, {"find", prepare_find, find},
    {"strings_scan", prepare_strings, scan}, {"strings_get", prepare_get, get},   {0},
};
