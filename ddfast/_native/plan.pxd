from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_plan.h":
    ctypedef struct ddf_span:
        uint64_t start
        uint64_t stop
    ctypedef struct ddf_read:
        uint64_t offset
        uint64_t length
        uint64_t at
    ctypedef struct ddf_plan_item:
        pass
    uint64_t DDF_LANDING_ALIGN
    int64_t ddf_plan_reads(const ddf_span *spans, size_t n, uint64_t max_gap, uint64_t align,
                           ddf_read *reads, uint64_t *landing, uint64_t *total, ddf_plan_item *scratch, const ddf_plan_item **sorted,
                           int *overlaps, ddf_err *err) nogil
    size_t ddf_plan_cut(const ddf_read *reads, size_t n, uint64_t max_read, const uint64_t *ends, size_t n_ends,
                        ddf_read *pieces) nogil
