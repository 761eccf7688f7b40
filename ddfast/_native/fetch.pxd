from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t

from ddfast._native.arena cimport Arena, Pool, ddf_arena, ddf_pool
from ddfast._native.columns cimport ddf_table
from ddfast._native.engine cimport Engine, ddf_engine, ddf_job
from ddfast._native.offsets cimport ddf_span
from ddfast._native.order cimport Order, ddf_order
from ddfast._native.shards cimport Shards, ddf_shards
from ddfast._native.status cimport ddf_err, ddf_slice


cdef extern from "ddf_fetch.h":
    ctypedef struct ddf_fetch:
        pass
    ctypedef struct ddf_fetch_request:
        ddf_shards *shards
        ddf_pool *pool
        const int64_t *indices
        ddf_order order
        uint64_t first
        uint64_t stride
        size_t count
        size_t batch_size
        int tables
        const ddf_slice *names
        size_t names_n
        uint64_t max_gap
        uint64_t max_read
        uint64_t max_bytes
    ctypedef struct ddf_fetch_cost:
        uint64_t bytes
        uint64_t reads
        uint64_t merged
    int ddf_fetch_new(const ddf_fetch_request *request, ddf_fetch **out) nogil
    ddf_job *ddf_fetch_job(ddf_fetch *fetch) nogil
    void ddf_fetch_submit(ddf_fetch *fetch, ddf_engine *engine) nogil
    int ddf_fetch_run(ddf_fetch *fetch, ddf_engine *engine, int timeout_ms) nogil
    void ddf_fetch_release(ddf_fetch *fetch, ddf_engine *engine) nogil
    uint64_t ddf_fetch_held(const ddf_fetch *fetch) nogil
    ddf_fetch_cost ddf_fetch_get_cost(const ddf_fetch *fetch) nogil
    size_t ddf_fetch_batches(const ddf_fetch *fetch) nogil
    ddf_table *ddf_fetch_table(const ddf_fetch *fetch, size_t b, const ddf_err **err) nogil
    ddf_span ddf_fetch_span(const ddf_fetch *fetch, size_t sample) nogil
    int64_t *ddf_fetch_indices(const ddf_fetch *fetch) nogil
    ddf_arena *ddf_fetch_arena(const ddf_fetch *fetch) nogil


cdef class Fetch:
    cdef ddf_fetch *ptr
    cdef Engine engine
    cdef Shards shards
    cdef Order order
    cdef Arena arena
    cdef size_t count, batch_size
    cdef readonly uint64_t first, stride
    cdef bint handed_over

    cdef int hand_over(self) except -1
    cdef int require_done(self) except -1
    cdef Arena own_arena(self)
