from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t

from ddfast._native.content cimport Content
from ddfast._native.status cimport ddf_err


cdef extern from "ddf_common.h":
    ctypedef struct ddf_span:
        uint64_t start
        uint64_t stop


cdef extern from "ddf_offsets.h":
    int ddf_offsets_check_ends(const uint8_t *table, uint64_t entries, uint64_t file_size, ddf_err *err) nogil
    int ddf_offsets_validate(const uint8_t *table, uint64_t entries, uint64_t file_size, ddf_err *err) nogil
    int ddf_offsets_spans(const uint8_t *table, uint64_t entries, const int64_t *indices, size_t count,
                          uint64_t file_size, ddf_span *out, ddf_err *err) nogil
    int ddf_offsets_range(const uint8_t *table, uint64_t entries, uint64_t first, size_t count,
                          uint64_t file_size, ddf_span *out, ddf_err *err) nogil


cdef class OffsetTable:
    cdef Py_buffer buffer
    cdef readonly Content content  # None if the table is in memory
    cdef const uint8_t *table
    cdef readonly uint64_t entries
    cdef readonly uint64_t file_size

    # Read entries of a file, so that the kernel may use them.
    cdef int hold(self, uint64_t first, uint64_t count) except -1

    # Span of one sample; KernelError if the index is out of range or the span is damaged.
    cdef ddf_span span_of(self, int64_t index) except *
