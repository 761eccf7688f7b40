"""What a writer does for each sample, where nothing is special about it."""

from array import array
from time import monotonic

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Contains, PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.math cimport INFINITY
from libc.stdint cimport uint8_t

from ddfast._native.msgpack cimport ddf_msgpack_check
from ddfast._native.readback cimport ddf_readback_plain
from ddfast._native.status cimport ddf_err

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)

cdef enum:
    DONE = 0
    DUE = 1
    ODD = -1

TAKEN, ATTEND, REFUSED = DONE, DUE, ODD


cdef class Encoder:
    def __cinit__(self, encode):
        self.encode = encode

    def __call__(self, obj):
        self.made += 1
        return self.encode(obj)


cdef class Ledger:
    def __cinit__(self, pack, Encoder encoder not None, uint64_t piece_size):
        self.keys = {}
        self.offsets = array("Q", [0])
        self.waiting = []
        self.pack, self.append, self.encoder, self.piece_size = pack, self.offsets.append, encoder, piece_size

    def take(self, sample):
        if type(sample) is not dict:
            return ODD
        cdef PyObject *key = PyDict_GetItemWithError(sample, "key")
        return ODD if key == NULL else self.enter(<object>key, sample)

    def take_keyed(self, key, sample):
        return self.enter(key, sample)

    def take_packed(self, key, data):
        if self.is_closed or type(key) is not str or type(data) is not bytes:
            return ODD
        if not PyUnicode_IS_ASCII(key) or PyDict_Contains(self.keys, key):
            return ODD
        cdef ddf_err err
        if ddf_msgpack_check(as_bytes(data), <size_t>PyBytes_GET_SIZE(data), True, &err):
            return ODD
        return self.add_one(key, data)

    def add(self, str key not None, bytes packed not None):
        return self.add_one(key, packed)

    def attend(self):
        return self.size - self.taken >= self.piece_size or self.is_late()

    cdef int enter(self, object key, object sample) except -2:
        if self.is_closed or type(key) is not str or PyDict_Contains(self.keys, key):
            return ODD
        self.encoder.made = 0
        try:
            packed = self.pack(sample)
        except Exception:
            return ODD
        cdef ddf_err err
        # Mostly well under a microsecond, less than it takes to let go of the GIL and get it back.
        if ddf_readback_plain(as_bytes(packed), <size_t>PyBytes_GET_SIZE(packed), self.encoder.made, &err) != 1:
            return ODD
        return self.add_one(key, packed)

    cdef int add_one(self, str key, bytes packed) except -2:
        cdef uint64_t size = self.size + <uint64_t>PyBytes_GET_SIZE(packed)
        self.append(size)
        self.waiting.append(packed)
        self.keys[key] = None
        self.size = size
        return DUE if size - self.taken >= self.piece_size or self.is_late() else DONE

    cdef bint is_late(self) except -1:
        return self.due < INFINITY and <double>monotonic() >= self.due


cdef const uint8_t *as_bytes(object data):
    return <const uint8_t *>PyBytes_AS_STRING(data)
