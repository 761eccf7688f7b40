from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t

from ddfast._native.decode cimport Decoder
from ddfast._native.offsets cimport ddf_span
from ddfast._native.shards cimport Shards, ddf_found


cdef extern from "ddf_sys.h":
    void ddf_sys_reuse_freed(size_t size) nogil


cdef extern from "ddf_payload.h":
    int ddf_payload_find(const uint8_t *p, size_t len, size_t *at, size_t *size) nogil
    int ddf_payload_matches(const uint8_t *p, size_t len, size_t at, size_t size) nogil


cdef class Samples:
    cdef readonly Shards shards
    cdef readonly Decoder decoder
    cdef uint8_t *scratch
    cdef size_t scratch_size
    cdef bint scratch_taken

    # Layout of the last large sample: bytes before and after the payload of its long binary; 0 if there was none.
    cdef size_t before, behind

    cdef object decode_at(self, const ddf_found *found, int64_t index)
    cdef object land(self, const ddf_found *found, int64_t index, uint8_t *at)

    cdef list decode_run(self, const ddf_found *found, int64_t start, int64_t stop)
    cdef list raw_run(self, const ddf_found *found, int64_t start, int64_t stop, bint copy)

    cdef uint8_t *take(self, size_t size) except NULL
    cdef void give(self, uint8_t *memory) noexcept
