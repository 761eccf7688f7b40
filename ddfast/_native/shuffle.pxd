from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_shuffle.h":
    ctypedef struct ddf_words:
        const uint32_t *at
        size_t n
    size_t ddf_shuffle_below(ddf_words *words, uint32_t bound, uint32_t *out, size_t count) nogil
    size_t ddf_shuffle_items(ddf_words *words, int64_t *items, size_t left) nogil
    int ddf_shuffle_exchange(int64_t *buffer, size_t places, const uint32_t *draws, size_t count,
                             const int64_t *incoming, int64_t *outgoing, ddf_err *err) nogil
