from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t

from ddfast._native.content cimport ddf_content
from ddfast._native.file cimport File, ddf_file
from ddfast._native.offsets cimport ddf_span
from ddfast._native.status cimport ddf_err


cdef extern from "ddf_sys.h":
    ctypedef struct ddf_stamp:
        uint64_t size
        int64_t modified


cdef extern from "ddf_shards.h":
    ctypedef struct ddf_shards:
        pass
    ctypedef struct ddf_shard_table:
        const uint8_t *memory
        ddf_content *content
    ctypedef struct ddf_shard_spec:
        const char *path
        const char *offsets_path
        const char *sums_path
        const uint8_t *offsets
        const uint8_t *sums
        uint64_t samples
        ddf_stamp stamp
    ctypedef struct ddf_found:
        ddf_file *file
        ddf_span span
        const uint8_t *offsets
        const uint8_t *sums
        int64_t first
        int64_t stop
    int ddf_shards_new(const ddf_shard_spec *specs, size_t n, size_t max_open, ddf_shards **out) nogil
    int ddf_shards_of(ddf_file *file, ddf_shard_table offsets, uint64_t entries, ddf_shard_table sums,
                      ddf_shards **out) nogil
    int ddf_shards_may_wait(const ddf_shards *shards) nogil
    void ddf_shards_release(ddf_shards *shards) nogil
    int ddf_shards_find(ddf_shards *shards, int64_t index, ddf_found *out, ddf_err *err) nogil
    int ddf_found_span(const ddf_found *found, int64_t index, ddf_span *span, ddf_err *err) nogil
    uint64_t ddf_found_sum(const ddf_found *found, int64_t index) nogil
    void ddf_shards_release_file(ddf_shards *shards, ddf_file *file) nogil
    size_t ddf_shards_open(ddf_shards *shards) nogil


cdef class Shards:
    cdef ddf_shards *ptr
    cdef object held      # the owners of the tables' memory
    cdef bint is_one      # nothing has to be opened

    # A sample, whose file the caller releases.
    cdef ddf_found find(self, int64_t index) except *
