from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_order.h":
    ctypedef enum ddf_order_kind:
        DDF_ORDER_SEQUENTIAL
        DDF_ORDER_SHUFFLED
        DDF_ORDER_BLOCKS
        DDF_ORDER_LISTED
    ctypedef struct ddf_order:
        ddf_order_kind kind
        uint64_t n
        uint64_t seed
        uint64_t epoch
        uint64_t block
        uint64_t window
        const int64_t *list
    int ddf_order_indices(const ddf_order *order, uint64_t first, size_t count, int64_t *indices, ddf_err *err) nogil


cdef class Order:
    cdef ddf_order spec
    cdef const int64_t[::1] list
