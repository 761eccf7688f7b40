"""Checks that a packed message is read back unchanged."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from ddfast._native.status cimport check


def is_exact(bytes packed not None, uint64_t encoded):
    cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(packed)
    cdef size_t size = <size_t>PyBytes_GET_SIZE(packed)
    cdef ddf_err err
    # Mostly well under a microsecond, less than it takes to release the GIL and acquire it again.
    return check(ddf_roundtrip_is_exact(data, size, encoded, &err), &err) == 1
