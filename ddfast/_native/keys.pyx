"""Key hashes, the table from key to sample index, and the strings of key and index files."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy, memset

from ddfast._native.arrays cimport empty
from ddfast._native.content cimport Content, ddf_content_memory
from ddfast._native.status cimport check

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


# Strings that are processed at a time, so that bulk calls need little memory.
cdef enum:
    CHUNK = 1024

# Bytes of a file that have the number of its strings.
cdef size_t HEADER = 5


cdef int read_salt(bytes salt, uint8_t *out) except -1:
    if len(salt) > DDF_SALT_SIZE:
        raise ValueError(f"a salt has at most {DDF_SALT_SIZE} bytes, not {len(salt)}")
    memset(out, 0, DDF_SALT_SIZE)
    memcpy(out, <const char *>salt, len(salt))
    return 0


cdef ddf_slice as_slice(str text) except *:
    cdef Py_ssize_t size = 0
    cdef ddf_slice out
    out.data = <const uint8_t *>PyUnicode_AsUTF8AndSize(text, &size)
    out.size = size
    return out


def hash_key(str key not None, bytes salt not None=b""):
    cdef uint8_t raw[DDF_SALT_SIZE]
    cdef uint64_t out
    cdef ddf_slice text = as_slice(key)
    read_salt(salt, raw)
    ddf_keys_hash(&text, 1, raw, &out)
    return out


def hash_keys(list keys not None, bytes salt not None):
    cdef uint8_t raw[DDF_SALT_SIZE]
    cdef ddf_slice texts[CHUNK]
    cdef size_t start, count, i, n
    read_salt(salt, raw)
    held = tuple(keys)  # another thread may change the list while the GIL is released
    n = len(held)
    result = empty(n, "uint64")
    cdef uint64_t[::1] out = result
    for start in range(0, n, CHUNK):
        count = min(n - start, <size_t>CHUNK)
        for i in range(count):
            texts[i] = as_slice(held[start + i])
        with nogil:
            ddf_keys_hash(texts, count, raw, &out[start])
    return result


def bloom_add(uint8_t[::1] filter not None, uint64_t probes, list keys not None):
    cdef ddf_slice texts[CHUNK]
    cdef uint64_t first[CHUNK]
    cdef uint64_t second[CHUNK]
    cdef uint64_t bits = 8 * <uint64_t>filter.shape[0]
    cdef size_t start, count, i, n
    if bits == 0:
        raise ValueError("the filter must have at least one bit")
    held = tuple(keys)  # another thread may change the list while the GIL is released
    n = len(held)
    for start in range(0, n, CHUNK):
        count = min(n - start, <size_t>CHUNK)
        for i in range(count):
            texts[i] = as_slice(held[start + i])
        with nogil:
            ddf_keys_hash_pairs(texts, count, first, second)
            ddf_keys_bloom_add(&filter[0], bits, probes, first, second, count)


# What it owns refers to nothing, and __dealloc__ needs it: the collector must not clear it before.
@cython.no_gc
cdef class KeyTable:
    def __cinit__(self, buffer, unsigned slot_size=0):
        PyObject_GetBuffer(buffer, &self.buffer, PyBUF_SIMPLE)
        if self.buffer.len < DDF_SALT_SIZE or self.buffer.len % 8:
            raise ValueError(f"a key hash file has at least 8 bytes and a multiple of 8, not {self.buffer.len:,}")
        cdef const uint8_t *hashes = <const uint8_t *>self.buffer.buf + DDF_SALT_SIZE
        cdef uint64_t n = len(self)
        cdef ddf_err err
        cdef int status
        with nogil:
            status = ddf_keytable_new(hashes, n, slot_size, &self.ptr, &err)
        check(status, &err)

    def __dealloc__(self):
        ddf_keytable_free(self.ptr)
        PyBuffer_Release(&self.buffer)

    def __len__(self):
        return (self.buffer.len - DDF_SALT_SIZE) // 8

    @property
    def salt(self):
        return (<const char *>self.buffer.buf)[:DDF_SALT_SIZE]

    @property
    def nbytes(self):
        return ddf_keytable_size(self.ptr) + <uint64_t>self.buffer.len

    cdef int64_t index_of(self, str key) except? -2:
        cdef ddf_slice text = as_slice(key)
        cdef uint64_t hashed
        ddf_keys_hash(&text, 1, <const uint8_t *>self.buffer.buf, &hashed)
        return ddf_keytable_find(self.ptr, hashed)

    def find(self, str key not None):
        return self.index_of(key)


cdef list decode(const ddf_slice *texts, size_t count):
    cdef size_t i
    return [PyUnicode_DecodeUTF8(<const char *>texts[i].data, texts[i].size, NULL) for i in range(count)]


# The collector must not clear a memoryview that is exported to here: releasing it would crash.
@cython.no_gc
cdef class PackedStrings:
    def __cinit__(self, buffer, bint pairs=False):
        cdef ddf_err err
        if isinstance(buffer, Content):
            self.content, self.size = buffer, len(buffer)
            self.data = ddf_content_memory(self.content.ptr)
            self.content.hold(0, min(self.size, HEADER))
        else:
            PyObject_GetBuffer(buffer, &self.buffer, PyBUF_SIMPLE)
            self.data, self.size = <const uint8_t *>self.buffer.buf, self.buffer.len
        self.kind = DDF_MAP if pairs else DDF_ARRAY
        self.n = check(ddf_strings_count(self.data, self.size, self.kind, &err), &err)

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def __len__(self):
        return self.n

    def scan(self):
        if self.content is not None:
            self.content.hold(0, self.size)
        held = empty(self.n, "uint64")
        cdef uint64_t[::1] starts = held
        values = empty(self.n if self.kind == DDF_MAP else 0, "uint64")
        cdef uint64_t[::1] numbers = values
        cdef ddf_err err
        cdef int status
        with nogil:
            status = ddf_strings_scan(self.data, self.size, self.kind, &starts[0], &numbers[0], self.n, &err)
        check(status, &err)
        self.starts = &starts[0]
        self.held = held
        return values

    # Texts of `count` strings; `done` strings of the same bulk call came before.
    cdef int texts(self, const int64_t *indices, uint64_t done, size_t count, ddf_slice *out) except -1:
        cdef ddf_err err
        if self.starts == NULL:
            self.scan()
        cdef int status = ddf_strings_get(self.data, self.size, self.starts, self.n, indices, done, count, out,
                                          &err)
        if status < 0:
            err.item += done
            check(status, &err)
        return 0

    def get(self, int64_t index):
        cdef ddf_slice text
        self.texts(&index, 0, 1, &text)
        return PyUnicode_DecodeUTF8(<const char *>text.data, text.size, NULL)

    def get_range(self, uint64_t start, uint64_t stop):
        cdef ddf_slice texts[CHUNK]
        cdef list out = []
        cdef size_t count
        while start < stop:
            count = min(stop - start, <uint64_t>CHUNK)
            self.texts(NULL, start, count, texts)
            out += decode(texts, count)
            start += count
        return out

    def take(self, const int64_t[::1] indices not None):
        cdef ddf_slice texts[CHUNK]
        cdef list out = []
        cdef size_t done, count, n = indices.shape[0]
        for done in range(0, n, CHUNK):
            count = min(n - done, <size_t>CHUNK)
            self.texts(&indices[done], done, count, texts)
            out += decode(texts, count)
        return out

    def hashes(self, bytes salt not None):
        cdef uint8_t raw[DDF_SALT_SIZE]
        cdef ddf_slice texts[CHUNK]
        cdef size_t done, count, n = self.n
        read_salt(salt, raw)
        result = empty(n, "uint64")
        cdef uint64_t[::1] out = result
        for done in range(0, n, CHUNK):
            count = min(n - done, <size_t>CHUNK)
            self.texts(NULL, done, count, texts)
            with nogil:
                ddf_keys_hash(texts, count, raw, &out[done])
        return result
