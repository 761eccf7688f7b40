from libc.stddef cimport size_t
from libc.stdint cimport uint64_t


cdef class Encoder:
    cdef object encode
    cdef uint64_t made


cdef class WriteBuffer:
    cdef readonly dict keys
    cdef readonly object offsets
    cdef list fresh, waiting, pages
    cdef object page
    cdef size_t page_start, page_fill
    cdef readonly uint64_t size, drained
    cdef public double due
    cdef public bint is_closed
    cdef readonly uint64_t piece_size
    cdef object pack, append
    cdef Encoder encoder

    cdef int enter(self, object key, object sample) except -2
    cdef int add_one(self, str key, bytes packed) except -2
    cdef bint is_late(self) except -1
    cdef int note(self, dict keys, object ends) except -1
    cdef int put(self, object buffer, const char *data, size_t size) except -1
    cdef int turn(self) except -1
    cdef int end_run(self) except -1
