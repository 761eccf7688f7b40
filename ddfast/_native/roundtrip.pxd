from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_roundtrip.h":
    int ddf_roundtrip_is_exact(const uint8_t *p, size_t len, uint64_t encoded, ddf_err *err) nogil
