#include "ddf_xxh3.h"

#define P32_1 0x9E3779B1u
#define P32_2 0x85EBCA77u
#define P32_3 0xC2B2AE3Du
#define P64_1 0x9E3779B185EBCA87u
#define P64_2 0xC2B2AE3D27D4EB4Fu
#define P64_3 0x165667B19E3779F9u
#define P64_4 0x85EBCA77C2B2AE63u
#define P64_5 0x27D4EB2F165667C5u
#define PMX_1 0x165667919E3779F9u
#define PMX_2 0x9FB21C651E98DF25u

#define SHORT ((size_t)240) /* longer data goes through the lanes */
#define LANES 8
#define STRIPE ((size_t)64)  /* bytes that one step takes, 8 a lane */
#define KEY_STEP ((size_t)8) /* bytes of the secret from one stripe to the next */
#define BLOCK_STRIPES ((sizeof SECRET - STRIPE) / KEY_STEP)
#define BLOCK (BLOCK_STRIPES * STRIPE) /* bytes between two scrambles */

/* clang-format off */
static const uint8_t SECRET[192] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};
/* clang-format on */

/* Little-endian loads from unaligned memory. */
static inline uint32_t load32(const uint8_t *p) { return __builtin_bswap32(ddf_load32(p)); }
static inline uint64_t load64(const uint8_t *p) { return __builtin_bswap64(ddf_load64(p)); }

static inline uint64_t rotate(uint64_t x, unsigned bits) { return (x << bits) | (x >> (64 - bits)); }

/* The two halves of a 128-bit product, folded into one. */
static inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t avalanche(uint64_t h) {
    h = (h ^ (h >> 37)) * PMX_1;
    return h ^ (h >> 32);
}

/* The finaliser of XXH64. */
static inline uint64_t avalanche_64(uint64_t h) {
    h = (h ^ (h >> 33)) * P64_2;
    h = (h ^ (h >> 29)) * P64_3;
    return h ^ (h >> 32);
}

/* -- up to 240 bytes: every byte is multiplied once or twice */

static inline uint64_t mix_16(const uint8_t *data, size_t key) {
    return multiply_fold(load64(data) ^ load64(SECRET + key), load64(data + 8) ^ load64(SECRET + key + 8));
}

static uint64_t hash_to_3(const uint8_t *data, size_t size) {
    uint32_t combined = (uint32_t)data[0] << 16 | (uint32_t)data[size >> 1] << 24 | data[size - 1] | (uint32_t)size << 8;
    return avalanche_64(combined ^ (uint64_t)(load32(SECRET) ^ load32(SECRET + 4)));
}

static uint64_t hash_to_8(const uint8_t *data, size_t size) {
    uint64_t h = load32(data + size - 4) + ((uint64_t)load32(data) << 32);
    h ^= load64(SECRET + 8) ^ load64(SECRET + 16);
    h = (h ^ rotate(h, 49) ^ rotate(h, 24)) * PMX_2;
    h = (h ^ ((h >> 35) + size)) * PMX_2;
    return h ^ (h >> 28);
}

static uint64_t hash_to_16(const uint8_t *data, size_t size) {
    uint64_t low = load64(data) ^ load64(SECRET + 24) ^ load64(SECRET + 32);
    uint64_t high = load64(data + size - 8) ^ load64(SECRET + 40) ^ load64(SECRET + 48);
    return avalanche(size + __builtin_bswap64(low) + high + multiply_fold(low, high));
}

/* Pairs of 16 bytes from both ends inwards. */
static uint64_t hash_to_128(const uint8_t *data, size_t size) {
    uint64_t h = size * P64_1;
    for (size_t pair = (size - 1) / 32 + 1; pair-- > 0;) {
        h += mix_16(data + 16 * pair, 32 * pair);
        h += mix_16(data + size - 16 * (pair + 1), 32 * pair + 16);
    }
    return avalanche(h);
}

static uint64_t hash_to_240(const uint8_t *data, size_t size) {
    uint64_t h = size * P64_1;
    for (size_t i = 0; i < 8; i++) {
        h += mix_16(data + 16 * i, 16 * i);
    }
    h = avalanche(h);
    for (size_t i = 8; i < size / 16; i++) {
        h += mix_16(data + 16 * i, 16 * (i - 8) + 3);
    }
    return avalanche(h + mix_16(data + size - 16, 136 - 17));
}

/* -- longer: eight lanes that a vector unit takes at once */

typedef uint64_t lanes[LANES];

#define LAST_KEY (SECRET + sizeof SECRET - STRIPE) /* of a scramble */
#define END_KEY (LAST_KEY - 7)                     /* of the last stripe */

static inline void add_stripe(lanes acc, const uint8_t *data, const uint8_t *key) {
    for (size_t i = 0; i < LANES; i++) {
        uint64_t value = load64(data + 8 * i), mixed = value ^ load64(key + 8 * i);
        acc[i ^ 1] += value;
        acc[i] += (mixed & UINT32_MAX) * (mixed >> 32);
    }
}

static inline void scramble(lanes acc) {
    for (size_t i = 0; i < LANES; i++) {
        acc[i] = (acc[i] ^ (acc[i] >> 47) ^ load64(LAST_KEY + 8 * i)) * P32_1;
    }
}

/* Whole blocks of 16 stripes, each followed by a scramble; then `rest` bytes, 0 or what ends the data: its last stripe
 * may begin before them, so that memory must begin a stripe earlier if `rest` is less. */
static void add_portably(lanes acc, const uint8_t *data, size_t blocks, size_t rest) {
    for (; blocks > 0; blocks--, data += BLOCK) {
        for (size_t n = 0; n < BLOCK_STRIPES; n++) {
            add_stripe(acc, data + n * STRIPE, SECRET + n * KEY_STEP);
        }
        scramble(acc);
    }
    if (rest > 0) {
        for (size_t n = 0; n < (rest - 1) / STRIPE; n++) {
            add_stripe(acc, data + n * STRIPE, SECRET + n * KEY_STEP);
        }
        add_stripe(acc, data + rest - STRIPE, END_KEY);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))

AVX512 static inline __m512i load_512(const void *p) { return _mm512_loadu_si512(p); }

AVX512 static inline __m512i add_stripe_512(__m512i sum, const uint8_t *data, const uint8_t *key) {
    __m512i value = load_512(data), mixed = _mm512_xor_si512(value, load_512(key));
    __m512i product = _mm512_mul_epu32(mixed, _mm512_srli_epi64(mixed, 32));
    return _mm512_add_epi64(sum, _mm512_add_epi64(product, _mm512_shuffle_epi32(value, _MM_PERM_BADC)));
}

AVX512 static void add_avx512(lanes acc, const uint8_t *data, size_t blocks, size_t rest) {
    __m512i sum = load_512(acc), prime = _mm512_set1_epi64(P32_1);
    for (; blocks > 0; blocks--, data += BLOCK) {
        for (size_t n = 0; n < BLOCK_STRIPES; n++) {
            sum = add_stripe_512(sum, data + n * STRIPE, SECRET + n * KEY_STEP);
        }
        __m512i mixed = _mm512_xor_si512(_mm512_xor_si512(sum, _mm512_srli_epi64(sum, 47)), load_512(LAST_KEY));
        __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(mixed, 32), prime);
        sum = _mm512_add_epi64(_mm512_mul_epu32(mixed, prime), _mm512_slli_epi64(high, 32));
    }
    if (rest > 0) {
        for (size_t n = 0; n < (rest - 1) / STRIPE; n++) {
            sum = add_stripe_512(sum, data + n * STRIPE, SECRET + n * KEY_STEP);
        }
        sum = add_stripe_512(sum, data + rest - STRIPE, END_KEY);
    }
    _mm512_storeu_si512(acc, sum);
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i load_256(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

AVX2 static inline void add_stripe_256(__m256i sum[2], const uint8_t *data, const uint8_t *key) {
    for (size_t i = 0; i < 2; i++) {
        __m256i value = load_256(data + 32 * i), mixed = _mm256_xor_si256(value, load_256(key + 32 * i));
        __m256i product = _mm256_mul_epu32(mixed, _mm256_srli_epi64(mixed, 32));
        __m256i swapped = _mm256_shuffle_epi32(value, _MM_SHUFFLE(1, 0, 3, 2));
        sum[i] = _mm256_add_epi64(sum[i], _mm256_add_epi64(product, swapped));
    }
}

AVX2 static void add_avx2(lanes acc, const uint8_t *data, size_t blocks, size_t rest) {
    __m256i sum[2] = {load_256(acc), load_256(acc + 4)}, prime = _mm256_set1_epi64x(P32_1);
    for (; blocks > 0; blocks--, data += BLOCK) {
        for (size_t n = 0; n < BLOCK_STRIPES; n++) {
            add_stripe_256(sum, data + n * STRIPE, SECRET + n * KEY_STEP);
        }
        for (size_t i = 0; i < 2; i++) {
            __m256i mixed = _mm256_xor_si256(sum[i], _mm256_srli_epi64(sum[i], 47));
            mixed = _mm256_xor_si256(mixed, load_256(LAST_KEY + 32 * i));
            __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(mixed, 32), prime);
            sum[i] = _mm256_add_epi64(_mm256_mul_epu32(mixed, prime), _mm256_slli_epi64(high, 32));
        }
    }
    if (rest > 0) {
        for (size_t n = 0; n < (rest - 1) / STRIPE; n++) {
            add_stripe_256(sum, data + n * STRIPE, SECRET + n * KEY_STEP);
        }
        add_stripe_256(sum, data + rest - STRIPE, END_KEY);
    }
    _mm256_storeu_si256((__m256i *)(void *)acc, sum[0]);
    _mm256_storeu_si256((__m256i *)(void *)(acc + 4), sum[1]);
}

static void add(lanes acc, const uint8_t *data, size_t blocks, size_t rest) {
    if (__builtin_cpu_supports("avx512f")) {
        add_avx512(acc, data, blocks, rest);
    } else if (__builtin_cpu_supports("avx2")) {
        add_avx2(acc, data, blocks, rest);
    } else {
        add_portably(acc, data, blocks, rest);
    }
}
#else
#define add add_portably
#endif

static uint64_t merge(const lanes acc, size_t size) {
    uint64_t h = size * P64_1;
    for (size_t i = 0; i < LANES; i += 2) {
        h += multiply_fold(acc[i] ^ load64(SECRET + 11 + 8 * i), acc[i + 1] ^ load64(SECRET + 19 + 8 * i));
    }
    return avalanche(h);
}

#define FIRST_LANES {P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1}

static uint64_t hash_long(const uint8_t *data, size_t size) {
    lanes acc = FIRST_LANES;
    size_t blocks = (size - 1) / BLOCK;
    add(acc, data, blocks, size - blocks * BLOCK);
    return merge(acc, size);
}

uint64_t ddf_xxh3(const uint8_t *data, size_t size) {
    if (size > SHORT) {
        return hash_long(data, size);
    }
    if (size > 128) {
        return hash_to_240(data, size);
    }
    if (size > 16) {
        return hash_to_128(data, size);
    }
    if (size > 8) {
        return hash_to_16(data, size);
    }
    if (size > 3) {
        return hash_to_8(data, size);
    }
    return size > 0 ? hash_to_3(data, size) : avalanche_64(load64(SECRET + 56) ^ load64(SECRET + 64));
}

/* -- in several places */

/* Copy `size` bytes that begin `at` bytes after the start of the first place. */
static void gather(const ddf_slice *places, uint64_t at, uint8_t *out, size_t size) {
    for (; size > 0; places++) {
        if (at >= places->size) {
            at -= places->size;
            continue;
        }
        size_t part = places->size - at < size ? (size_t)(places->size - at) : size;
        memcpy(out, places->data + at, part);
        out += part;
        size -= part;
        at = 0;
    }
}

/* Blocks inside one place are taken where they are, those across two from a copy. */
static uint64_t hash_long_joined(const ddf_slice *places, size_t n, size_t size) {
    lanes acc = FIRST_LANES;
    uint8_t copy[STRIPE + BLOCK];
    size_t left = (size - 1) / BLOCK, done = left * BLOCK;
    uint64_t at = 0; /* in places[i] */
    for (size_t i = 0; i < n && left > 0;) {
        uint64_t whole = places[i].size < at ? 0 : (places[i].size - at) / BLOCK;
        size_t blocks = whole < left ? (size_t)whole : left;
        if (blocks > 0) {
            add(acc, places[i].data + at, blocks, 0);
        } else if (places[i].size > at) {
            gather(places + i, at, copy, BLOCK);
            add(acc, copy, blocks = 1, 0);
        }
        left -= blocks;
        at += blocks * BLOCK;
        for (; i < n && at >= places[i].size; i++) {
            at -= places[i].size;
        }
    }
    size_t lead = done == 0 ? 0 : STRIPE;
    gather(places, done - lead, copy, lead + size - done);
    add(acc, copy + lead, 0, size - done);
    return merge(acc, size);
}

uint64_t ddf_xxh3_joined(const ddf_slice *places, size_t n) {
    uint64_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size += places[i].size;
    }
    if (n == 1) {
        return ddf_xxh3(places->data, (size_t)size);
    }
    if (size > SHORT) {
        return hash_long_joined(places, n, (size_t)size);
    }
    uint8_t copy[SHORT];
    gather(places, 0, copy, (size_t)size);
    return ddf_xxh3(copy, (size_t)size);
}

int ddf_xxh3_check(const ddf_slice *places, size_t n, uint64_t sum, ddf_err *err) {
    return ddf_xxh3_joined(places, n) == sum
               ? DDF_OK
               : ddf_fail(err, DDF_E_CHECKSUM, "the bytes do not match the checksum", 0, 0);
}

int ddf_xxh3_parts(const uint8_t *data, uint64_t size, const uint64_t *sizes, size_t n, uint64_t *sums, ddf_err *err) {
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (sizes[i] > size - at) {
            return ddf_fail(err, DDF_E_TRUNCATED, "a sample ends after the end of the data", i, at);
        }
        sums[i] = ddf_xxh3(data + at, (size_t)sizes[i]);
        at += sizes[i];
    }
    return DDF_OK;
}
