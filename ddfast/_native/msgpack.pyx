"""Checks and boundaries of msgpack messages."""

import numpy as np

from ddfast._native.status cimport check as check_status

MAX_DEPTH = DDF_MAX_DEPTH

# An empty buffer has no address to take.
cdef uint8_t[1] EMPTY


cdef inline const uint8_t *address(const uint8_t[::1] view) noexcept:
    return &view[0] if view.shape[0] else EMPTY


def check(const uint8_t[::1] buffer, *, bint utf8=True):
    cdef const uint8_t *p = address(buffer)
    cdef size_t size = buffer.shape[0]
    cdef ddf_err err
    cdef int status
    with nogil:
        status = ddf_msgpack_check(p, size, utf8, &err)
    check_status(status, &err)


def check_run(const uint8_t[::1] buffer, const uint64_t[::1] ends, *, bint utf8=True):
    cdef const uint8_t *p = address(buffer)
    cdef const uint64_t *stops = &ends[0] if ends.shape[0] else NULL
    cdef size_t size = buffer.shape[0], n = ends.shape[0]
    cdef ddf_err err
    cdef int status
    with nogil:
        status = ddf_msgpack_check_run(p, size, stops, n, utf8, &err)
    check_status(status, &err)


def split(const uint8_t[::1] buffer):
    cdef const uint8_t *p = address(buffer)
    cdef size_t size = buffer.shape[0]
    cdef ddf_err err
    cdef int64_t count
    with nogil:
        count = ddf_msgpack_split(p, size, NULL, 0, &err)
    check_status(count, &err)
    offsets = np.empty(count + 1, np.uint64)
    cdef uint64_t[::1] out = offsets
    with nogil:
        ddf_msgpack_split(p, size, &out[0], count, &err)
    out[count] = size
    return offsets


def utf8(const uint8_t[::1] buffer):
    cdef const uint8_t *p = address(buffer)
    cdef size_t size = buffer.shape[0]
    cdef bint valid
    with nogil:
        valid = ddf_utf8_valid(p, size)
    return valid
