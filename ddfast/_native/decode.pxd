from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.nd cimport NdDecoder


cdef enum:
    KEY_SLOTS = 256


# A map key that has been seen: owned text, and a digest of its bytes that detects most misses at once.
cdef struct key_slot:
    uint64_t digest
    PyObject *text


cdef class Decoder:
    cdef readonly bint allow_pickle
    cdef unsigned int interned
    cdef key_slot[KEY_SLOTS] keys
    cdef NdDecoder special

    # The message that is all of [p, p + size).
    cdef object decode(self, const uint8_t *p, uint64_t size)

    # The same, where a binary's payload of `landed` was read into that object and not to its place at `at`.
    cdef object decode_landed(self, const uint8_t *p, uint64_t size, bytes landed, const uint8_t *at)

    # The value at `p`; bytes between its end and `end` are ignored. Positions in errors count from `p`.
    cdef object decode_value(self, const uint8_t *p, const uint8_t *end)

    cdef PyObject *run(self, const uint8_t **p, const uint8_t *end, PyObject *landed, const uint8_t *at) except NULL
