"""Which sample comes at which position: the permutations."""

from ddfast._native.arrays cimport empty
from ddfast._native.status cimport check

cdef uint64_t SAMPLES_MAX = <uint64_t>1 << 62


cdef class Order:
    def __cinit__(self, uint64_t n, shuffle=False, uint64_t seed=0, uint64_t epoch=0, uint64_t block=1, uint64_t window=1):
        if n >= SAMPLES_MAX or block < 1 or window < 1:
            raise ValueError("an order has less than 2**62 samples, and blocks and windows of at least 1")
        kind = {False: DDF_ORDER_SEQUENTIAL, True: DDF_ORDER_SHUFFLED, "block": DDF_ORDER_BLOCKS}[shuffle]
        self.spec = ddf_order(kind, n, seed, epoch, block, window, NULL)

    @staticmethod
    def listed(indices):
        cdef Order order = Order(len(indices))
        order.list = indices
        order.spec.kind = DDF_ORDER_LISTED
        order.spec.list = &order.list[0] if order.spec.n else NULL
        return order

    def __len__(self):
        return self.spec.n

    def indices(self, uint64_t start, uint64_t stop):
        cdef size_t count = stop - start if stop > start else 0
        if stop > self.spec.n and count:
            raise IndexError(f"position {stop - 1:,} out of range: the order has {self.spec.n:,} positions")
        result = empty(count, "int64")
        cdef int64_t[::1] out = result
        cdef ddf_err err
        cdef int status = 0
        if count:
            with nogil:
                status = ddf_order_indices(&self.spec, start, count, &out[0], &err)
        check(status, &err)
        return result
