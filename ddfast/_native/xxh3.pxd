from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.content cimport Content
from ddfast._native.status cimport ddf_err, ddf_slice


cdef extern from "ddf_xxh3.h":
    uint64_t ddf_xxh3(const uint8_t *data, size_t size) nogil
    int ddf_xxh3_check(const ddf_slice *places, size_t n, uint64_t sum, ddf_err *err) nogil
    int ddf_xxh3_parts(const uint8_t *data, uint64_t size, const uint64_t *sizes, size_t n, uint64_t *sums,
                       ddf_err *err) nogil


cdef class ChecksumTable:
    cdef Py_buffer buffer
    cdef readonly Content content  # None if the table is in memory
    cdef uint64_t count
    cdef const uint8_t *table
