#include "ddf_order.h"

#include <string.h>

/* A permutation of [0, n) as an alternating Feistel network over a grid of rows x columns >= n; a result outside
 * [0, n) is sent through once more (cycle walking), which ends since the grid exceeds n by less than one row and the
 * start was inside. So few items that a network would favour some permutations are shuffled in a list instead. */
#define ROUNDS 8
#define LISTED_MAX 256

typedef struct permutation {
    uint64_t n, rows, columns;
    uint64_t keys[ROUNDS];
    uint8_t list[LISTED_MAX]; /* n <= LISTED_MAX: the permutation itself */
} permutation;

/* Finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
static inline uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

#define GOLDEN 0x9e3779b97f4a7c15u

/* A key for one use of (seed, epoch): `purpose` and `number` keep the uses apart. */
static uint64_t derive(const ddf_order *order, uint64_t purpose, uint64_t number) {
    uint64_t key = mix(order->seed + GOLDEN);
    key = mix(key ^ (order->epoch + 2 * GOLDEN));
    key = mix(key ^ (purpose + 3 * GOLDEN));
    return mix(key ^ (number + 4 * GOLDEN));
}

static uint64_t ceil_sqrt(uint64_t n) {
    uint64_t low = 1, high = (uint64_t)1 << 31;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (middle * middle >= n) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* A number below `bound` (which is below 2^32) from `half` and a round's key. */
static inline uint64_t round_value(uint64_t half, uint64_t key, uint64_t bound) {
    uint64_t h = (half ^ key) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 32)) * 0x94d049bb133111ebu;
    return ((h >> 32) * bound) >> 32;
}

static inline uint64_t add_below(uint64_t a, uint64_t b, uint64_t bound) {
    a += b;
    return a >= bound ? a - bound : a;
}

/* Fisher and Yates: each of the n! permutations is as likely as any other. */
static void shuffle_list(permutation *p, uint64_t key) {
    for (uint64_t i = 0; i < p->n; i++) {
        uint64_t j = round_value(i, mix(key + (i + 1) * GOLDEN), i + 1);
        p->list[i] = p->list[j];
        p->list[j] = (uint8_t)i;
    }
}

static permutation make_permutation(uint64_t n, uint64_t key) {
    permutation p = {.n = n};
    if (n <= LISTED_MAX) {
        shuffle_list(&p, key);
        return p;
    }
    p.columns = ceil_sqrt(n);
    p.rows = (n + p.columns - 1) / p.columns;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        p.keys[i] = mix(key + (i + 1) * GOLDEN);
    }
    return p;
}

static inline uint64_t permute(const permutation *p, uint64_t x) {
    if (p->n <= LISTED_MAX) {
        return p->list[x];
    }
    do {
        uint64_t row = x / p->columns, column = x % p->columns;
        for (unsigned i = 0; i < ROUNDS; i += 2) {
            row = add_below(row, round_value(column, p->keys[i], p->rows), p->rows);
            column = add_below(column, round_value(row, p->keys[i + 1], p->columns), p->columns);
        }
        x = row * p->columns + column;
    } while (x >= p->n);
    return x;
}

enum { PURPOSE_SAMPLES = 1, PURPOSE_BLOCKS, PURPOSE_WINDOW, PURPOSE_PHASE };

static void fill_shuffled(const ddf_order *order, uint64_t first, size_t count, int64_t *indices) {
    permutation p = make_permutation(order->n, derive(order, PURPOSE_SAMPLES, 0));
    for (size_t i = 0; i < count; i++) {
        indices[i] = (int64_t)permute(&p, first + i);
    }
}

/* Blocks start at a phase that changes with the epoch, so that neither their borders nor the short block, which always
 * comes last, favour the same samples each time. */
static void fill_blocks(const ddf_order *order, uint64_t first, size_t count, int64_t *indices) {
    uint64_t n = order->n, block = order->block < n ? order->block : n;
    uint64_t whole = n / block, phase = derive(order, PURPOSE_PHASE, 0) % n;
    uint64_t per_window = order->window < n / block + 1 ? order->window * block : n;
    permutation blocks = make_permutation(whole, derive(order, PURPOSE_BLOCKS, 0));
    permutation window = {0};
    uint64_t current = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t position = first + i, number = position / per_window, start = number * per_window;
        if (number != current) {
            current = number;
            window = make_permutation(n - start < per_window ? n - start : per_window,
                                      derive(order, PURPOSE_WINDOW, number));
        }
        uint64_t place = start + permute(&window, position - start);
        uint64_t slot = place / block;
        uint64_t at = (slot < whole ? permute(&blocks, slot) : slot) * block + place % block + phase;
        indices[i] = (int64_t)(at < n ? at : at - n);
    }
}

int ddf_order_indices(const ddf_order *order, uint64_t first, size_t count, int64_t *indices, ddf_err *err) {
    if (first > order->n || count > order->n - first) {
        return ddf_fail(err, DDF_E_INDEX, "position is outside of the dataset", first < order->n ? order->n : first, 0);
    }
    if (count == 0) {
        return DDF_OK; /* of an empty dataset, too, which has no block to divide by */
    }
    switch (order->kind) {
    case DDF_ORDER_SHUFFLED:
        fill_shuffled(order, first, count, indices);
        break;
    case DDF_ORDER_BLOCKS:
        fill_blocks(order, first, count, indices);
        break;
    case DDF_ORDER_LISTED:
        memcpy(indices, order->list + first, count * sizeof *indices);
        break;
    case DDF_ORDER_SEQUENTIAL:
        for (size_t i = 0; i < count; i++) {
            indices[i] = (int64_t)(first + i);
        }
        break;
    }
    return DDF_OK;
}
