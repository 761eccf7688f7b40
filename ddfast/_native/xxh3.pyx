"""Checksums of samples."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from ddfast._native.arrays cimport empty
from ddfast._native.content cimport Content, ddf_content_memory
from ddfast._native.status cimport check


# What it owns refers to nothing, and __dealloc__ needs it: the collector must not clear it before.
@cython.no_gc
cdef class ChecksumTable:
    def __cinit__(self, buffer):
        if isinstance(buffer, Content):
            self.content = buffer
            self.table, size = ddf_content_memory(self.content.ptr), len(buffer)
        else:
            PyObject_GetBuffer(buffer, &self.buffer, PyBUF_SIMPLE)
            self.table, size = <const uint8_t *>self.buffer.buf, self.buffer.len
        if size % 8:
            raise ValueError(f"a checksum table has a multiple of 8 bytes, not {size:,}")
        self.count = size // 8

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def __len__(self):
        return self.count


def checksum(const uint8_t[::1] data):
    cdef size_t size = data.shape[0]
    cdef uint64_t result
    with nogil:
        result = ddf_xxh3(&data[0] if size else NULL, size)
    return result


def checksums(const uint8_t[::1] data, const uint64_t[::1] sizes):
    cdef size_t n = sizes.shape[0], size = data.shape[0]
    result = empty(n, "uint64")
    cdef uint64_t[::1] out = result
    cdef ddf_err err
    cdef int status = 0
    if n:
        with nogil:
            status = ddf_xxh3_parts(&data[0] if size else NULL, size, &sizes[0], n, &out[0], &err)
    check(status, &err)
    return result
