#include <assert.h>
#include <stdlib.h>

#include "ddf_order.h"

static ddf_order order_of(ddf_order_kind kind, uint64_t n) { return (ddf_order){kind, n, 3, 4, 5, 2, NULL}; }

static void every_small_order_is_a_permutation(void) {
    int64_t indices[260];
    for (uint64_t n = 0; n <= 260; n++) {
        for (int kind = DDF_ORDER_SEQUENTIAL; kind <= DDF_ORDER_BLOCKS; kind++) {
            ddf_order order = order_of((ddf_order_kind)kind, n);
            char seen[260] = {0};
            assert(ddf_order_indices(&order, 0, (size_t)n, indices, NULL) == 0);
            for (uint64_t i = 0; i < n; i++) {
                assert(indices[i] >= 0 && (uint64_t)indices[i] < n && !seen[indices[i]]);
                seen[indices[i]] = 1;
            }
        }
    }
}

static void the_largest_orders_do_not_overflow(void) {
    uint64_t sizes[] = {((uint64_t)1 << 62) - 1, (uint64_t)1 << 61, ((uint64_t)1 << 32) + 1};
    uint64_t blocks[] = {1, 7, (uint64_t)1 << 40, UINT64_MAX};
    for (size_t s = 0; s < 3; s++) {
        for (size_t b = 0; b < 16; b++) {
            ddf_order order = {DDF_ORDER_BLOCKS, sizes[s], UINT64_MAX, UINT64_MAX, blocks[b % 4], blocks[b / 4], NULL};
            for (int kind = DDF_ORDER_SHUFFLED; kind <= DDF_ORDER_BLOCKS; kind++) {
                int64_t indices[50];
                order.kind = (ddf_order_kind)kind;
                assert(ddf_order_indices(&order, sizes[s] - 50, 50, indices, NULL) == 0);
                for (size_t i = 0; i < 50; i++) {
                    assert(indices[i] >= 0 && (uint64_t)indices[i] < sizes[s]);
                }
            }
        }
    }
}

static void positions_outside_are_told(void) {
    ddf_order order = order_of(DDF_ORDER_SHUFFLED, 10);
    ddf_err err;
    int64_t indices[20];
    assert(ddf_order_indices(&order, 5, 6, indices, &err) == DDF_E_INDEX && err.item == 10);
    assert(ddf_order_indices(&order, 12, 0, indices, &err) == DDF_E_INDEX && err.item == 12);
    assert(ddf_order_indices(&order, 10, 0, indices, &err) == 0);
    assert(ddf_order_indices(&order, 1, SIZE_MAX, indices, &err) == DDF_E_INDEX);
}

int main(void) {
    every_small_order_is_a_permutation();
    the_largest_orders_do_not_overflow();
    positions_outside_are_told();
    return 0;
}
