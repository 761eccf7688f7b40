"""Adds samples to the buffer of a writer, in the common case."""

from array import array
from time import monotonic

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Contains, PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.math cimport INFINITY
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from ddfast._native.msgpack cimport ddf_msgpack_check
from ddfast._native.roundtrip cimport ddf_roundtrip_is_exact
from ddfast._native.status cimport ddf_err

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    ctypedef struct PyByteArrayObject:
        Py_ssize_t ob_exports

cdef enum:
    DONE = 0
    DUE = 1
    ODD = -1

ADDED, FLUSH_DUE, REFUSED = DONE, DUE, ODD

cdef enum:
    # Smaller samples are copied into pages, so that the memory into which they were packed is reused while it is in the
    # cache. Pages are reused too, because getting fresh memory takes longer than filling it.
    LARGE = 32768
    PAGES = 12


cdef class Encoder:
    def __cinit__(self, encode):
        self.encode = encode

    def __call__(self, obj):
        self.made += 1
        return self.encode(obj)


cdef class WriteBuffer:
    def __cinit__(self, pack, Encoder encoder not None, uint64_t piece_size):
        self.keys = {}
        self.offsets = array("Q", [0])
        self.fresh, self.waiting, self.pages = [], [], []
        self.pack, self.append, self.encoder, self.piece_size = pack, self.offsets.append, encoder, piece_size

    def add_sample(self, sample):
        if type(sample) is not dict:
            return ODD
        cdef PyObject *key = PyDict_GetItemWithError(sample, "key")
        return ODD if key == NULL else self.enter(<object>key, sample)

    def add_keyed(self, key, sample):
        return self.enter(key, sample)

    def add_packed(self, key, data):
        if self.is_closed or type(key) is not str or type(data) is not bytes:
            return ODD
        if not PyUnicode_IS_ASCII(key) or PyDict_Contains(self.keys, key):
            return ODD
        cdef ddf_err err
        if ddf_msgpack_check(as_bytes(data), <size_t>PyBytes_GET_SIZE(data), True, &err):
            return ODD
        return self.add_one(key, data)

    def add_checked(self, str key not None, bytes packed not None):
        return self.add_one(key, packed)

    def add_many(self, dict keys not None, data, ends):
        cdef const uint8_t[::1] view = data
        if keys:
            self.put(data, <const char *>&view[0], view.shape[0])
            self.fresh.extend(keys)
            self.note(keys, ends)

    def restore(self, dict keys not None, ends):
        self.note(keys, ends)
        self.drained = self.size

    cdef int note(self, dict keys, object ends) except -1:
        self.offsets.frombytes((ends + self.size).tobytes())
        self.size = self.offsets[len(self.offsets) - 1]
        self.keys.update(keys)
        return 0

    def drain(self):
        self.end_run()
        keys, buffers = self.fresh, self.waiting
        self.fresh, self.waiting, self.page = [], [], None
        self.drained = self.size
        return keys, buffers

    def is_flush_due(self):
        return self.size - self.drained >= self.piece_size or self.is_late()

    cdef int enter(self, object key, object sample) except -2:
        if self.is_closed or type(key) is not str or PyDict_Contains(self.keys, key):
            return ODD
        self.encoder.made = 0
        try:
            packed = self.pack(sample)
        except Exception:
            return ODD
        cdef ddf_err err
        # Mostly well under a microsecond, less than it takes to release the GIL and acquire it again.
        if ddf_roundtrip_is_exact(as_bytes(packed), <size_t>PyBytes_GET_SIZE(packed), self.encoder.made, &err) != 1:
            return ODD
        return self.add_one(key, packed)

    cdef int add_one(self, str key, bytes packed) except -2:
        cdef uint64_t size = self.size + <uint64_t>PyBytes_GET_SIZE(packed)
        self.put(packed, PyBytes_AS_STRING(packed), PyBytes_GET_SIZE(packed))
        self.append(size)
        self.fresh.append(key)
        self.keys[key] = None
        self.size = size
        return DUE if size - self.drained >= self.piece_size or self.is_late() else DONE

    # Append the bytes of a buffer, or a copy of them, to the waiting ones.
    cdef int put(self, object buffer, const char *data, size_t size) except -1:
        if size >= LARGE:
            self.end_run()
            self.waiting.append(buffer)
            return 0
        if self.page is None or self.page_fill + size > self.piece_size + LARGE:
            self.turn()
        memcpy(PyByteArray_AS_STRING(self.page) + self.page_fill, data, size)
        self.page_fill += size
        return 0

    # Begin a page: one that is not exported any more, else a new one.
    cdef int turn(self) except -1:
        self.end_run()
        self.page_start = self.page_fill = 0
        for page in self.pages:
            if (<PyByteArrayObject *>page).ob_exports == 0:
                self.page = page
                return 0
        self.page = PyByteArray_FromStringAndSize(NULL, self.piece_size + LARGE)
        if len(self.pages) < PAGES:
            self.pages.append(self.page)
        return 0

    # Append the part of the page that was filled since the last call to the waiting buffers.
    cdef int end_run(self) except -1:
        if self.page is not None and self.page_fill > self.page_start:
            self.waiting.append(memoryview(self.page)[self.page_start:self.page_fill])
            self.page_start = self.page_fill
        return 0

    cdef bint is_late(self) except -1:
        return self.due < INFINITY and <double>monotonic() >= self.due


cdef const uint8_t *as_bytes(object data):
    return <const uint8_t *>PyBytes_AS_STRING(data)
