from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint64_t


cdef enum:
    KEY_SLOTS = 256
    DTYPE_SLOTS = 64


# A map key that has been seen: owned text, and a digest of its bytes that tells most misses at once.
cdef struct key_slot:
    uint64_t digest
    PyObject *text


# A dtype string of at most 7 bytes that has been seen, its length in the top byte, and the owned dtype.
cdef struct dtype_slot:
    uint64_t name
    PyObject *descr
    uint64_t itemsize


cdef class Decoder:
    cdef readonly bint allow_pickle
    cdef unsigned int interned
    cdef key_slot[KEY_SLOTS] keys
    cdef dtype_slot[DTYPE_SLOTS] dtypes

    # The message that fills [p, p + size); bytes after it are refused.
    cdef object decode(self, const uint8_t *p, uint64_t size)

    # The value at `p`; what follows it before `end` is not looked at. Positions in errors count from `p`.
    cdef object decode_value(self, const uint8_t *p, const uint8_t *end)

    cdef PyObject *run(self, const uint8_t **p, const uint8_t *end) except NULL
