from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t

from ddfast._native.content cimport Content
from ddfast._native.status cimport ddf_err


cdef extern from "ddf_common.h":
    ctypedef struct ddf_slice:
        const uint8_t *data
        uint64_t size


cdef extern from "ddf_msgpack.h":
    ctypedef enum ddf_kind:
        DDF_ARRAY
        DDF_MAP


cdef extern from "ddf_keys.h":
    enum:
        DDF_SALT_SIZE

    ctypedef struct ddf_keytable:
        pass

    void ddf_keys_hash(const ddf_slice *keys, size_t n, const uint8_t *salt, uint64_t *out) nogil
    void ddf_keys_hash_pairs(const ddf_slice *keys, size_t n, uint64_t *first, uint64_t *second) nogil
    void ddf_keys_bloom_add(uint8_t *filter, uint64_t bits, uint64_t probes, const uint64_t *first,
                            const uint64_t *second, size_t n) nogil
    int ddf_keytable_new(const uint8_t *hashes, uint64_t n, unsigned slot_size, ddf_keytable **out,
                         ddf_err *err) nogil
    void ddf_keytable_free(ddf_keytable *table) nogil
    int64_t ddf_keytable_find(const ddf_keytable *table, uint64_t hash) nogil
    uint64_t ddf_keytable_size(const ddf_keytable *table) nogil
    int64_t ddf_strings_count(const uint8_t *p, size_t len, ddf_kind kind, ddf_err *err) nogil
    int ddf_strings_scan(const uint8_t *p, size_t len, ddf_kind kind, uint64_t *positions, uint64_t *values,
                         uint64_t n, ddf_err *err) nogil
    int ddf_strings_get(const uint8_t *p, size_t len, const uint64_t *positions, uint64_t n,
                        const int64_t *indices, uint64_t first, size_t count, ddf_slice *out, ddf_err *err) nogil


cdef class KeyTable:
    cdef Py_buffer buffer
    cdef ddf_keytable *ptr

    # Index of a key, or -1.
    cdef int64_t index_of(self, str key) except? -2


cdef class PackedStrings:
    cdef Py_buffer buffer
    cdef Content content         # None if all of it is in memory
    cdef const uint8_t *data
    cdef size_t size
    cdef ddf_kind kind
    cdef uint64_t n
    cdef object held             # the array that `starts` points into
    cdef const uint64_t *starts  # NULL before the scan

    cdef int texts(self, const int64_t *indices, uint64_t done, size_t count, ddf_slice *out) except -1
