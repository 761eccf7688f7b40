/* ddf_keys: salted hashes of keys, the table from hash to sample index, and the strings of key and index files.
 *
 * Thread safe: functions write only to memory that the caller passes, and a finished table is never changed. */
#ifndef DDF_KEYS_H
#define DDF_KEYS_H

#include "ddf_common.h"
#include "ddf_msgpack.h"

/* -- hashes -- */

#define DDF_SALT_SIZE 8

/* The first 8 bytes, read as a big-endian integer, of each key's unkeyed 32-byte BLAKE2s digest (RFC 7693) with
 * `salt` in the parameter block. `out` holds n items. */
void ddf_keys_hash(const ddf_slice *keys, size_t n, const uint8_t salt[DDF_SALT_SIZE], uint64_t *out);

/* The first 8 bytes and the next 8 of each key's unsalted digest, read in the same way, as Bloom filters use them. */
void ddf_keys_hash_pairs(const ddf_slice *keys, size_t n, uint64_t *first, uint64_t *second);

/* Add keys by such hashes to a filter of `bits` bits, which must not be 0: `probes` of them are set for each key. */
void ddf_keys_bloom_add(uint8_t *filter, uint64_t bits, uint64_t probes, const uint64_t *first, const uint64_t *second,
                        size_t n);

/* -- table -- */

typedef struct ddf_keytable ddf_keytable;

/* Build the table over `n` big-endian hashes, which belong to the caller, need no alignment, and outlive the table.
 * It takes 4 bytes for each of 4n/3 slots, rounded up to a power of two (8 bytes from 2^32 - 1 hashes on);
 * `slot_size` is 4 or 8, or 0 for the smaller one that is sufficient.
 * Returns 0, -ENOMEM, DDF_E_COLLISION with err->item = the first hash that equals an earlier one, or DDF_E_LIMIT for
 * numbers so unevenly distributed that they cannot be hashes of keys, with err->item = the one where building
 * stopped. */
int ddf_keytable_new(const uint8_t *hashes, uint64_t n, unsigned slot_size, ddf_keytable **out, ddf_err *err);
void ddf_keytable_free(ddf_keytable *table);

/* Index of `hash` among the hashes, or -1 if it is not one of them. */
int64_t ddf_keytable_find(const ddf_keytable *table, uint64_t hash);

/* Bytes of the slots. */
uint64_t ddf_keytable_size(const ddf_keytable *table);

/* -- files of strings -- */

/* Items of the array (`kind` DDF_ARRAY, a keys file) or pairs of the map (DDF_MAP, a legacy index) at the
 * start of `[p, p + len)`; never more than its bytes can hold. Returns DDF_E_TYPE or a status of ddf_token_read for
 * other input. */
int64_t ddf_strings_count(const uint8_t *p, size_t len, ddf_kind kind, ddf_err *err);

/* Find all strings of such a file. `positions[i]` becomes the byte where string i starts (its header), `values[i]`, for
 * a map, the number it maps to; both hold `n` items, the file's count. Strings are checked to be UTF-8, and the last
 * item must end the file. Returns 0 or DDF_E_* with err->item and err->pos = item and byte at fault. */
int ddf_strings_scan(const uint8_t *p, size_t len, ddf_kind kind, uint64_t *positions, uint64_t *values, uint64_t n,
                     ddf_err *err);

/* Text of `count` strings of a scanned file: those numbered in `indices`, or from `first` on if that is NULL.
 * Returns 0, DDF_E_INDEX with err->item = position in `indices`, or DDF_E_TYPE if the file is no longer the one
 * that was scanned. */
int ddf_strings_get(const uint8_t *p, size_t len, const uint64_t *positions, uint64_t n, const int64_t *indices,
                    uint64_t first, size_t count, ddf_slice *out, ddf_err *err);

#endif
