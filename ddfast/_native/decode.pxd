from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.nd cimport NdDecoder


cdef enum:
    KEY_SLOTS = 256


# A map key that has been seen: owned text, and a digest of its bytes that tells most misses at once.
cdef struct key_slot:
    uint64_t digest
    PyObject *text


cdef class Decoder:
    cdef readonly bint allow_pickle
    cdef unsigned int interned
    cdef key_slot[KEY_SLOTS] keys
    cdef NdDecoder special

    # The message that fills [p, p + size); bytes after it are refused.
    cdef object decode(self, const uint8_t *p, uint64_t size)

    # The value at `p`; what follows it before `end` is not looked at. Positions in errors count from `p`.
    cdef object decode_value(self, const uint8_t *p, const uint8_t *end)

    cdef PyObject *run(self, const uint8_t **p, const uint8_t *end) except NULL
