from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t

from ddfast._native.decode cimport Decoder
from ddfast._native.file cimport File
from ddfast._native.offsets cimport OffsetTable, ddf_span


cdef class Samples:
    cdef readonly File file
    cdef readonly OffsetTable offsets
    cdef readonly Decoder decoder
    cdef uint8_t *scratch
    cdef size_t scratch_size
    cdef bint scratch_taken

    cdef uint8_t *take(self, size_t size) except NULL
    cdef void give(self, uint8_t *memory) noexcept
