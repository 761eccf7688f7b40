from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t


cdef extern from "ddf_arena.h":
    ctypedef struct ddf_pool:
        pass
    ctypedef struct ddf_arena:
        pass
    int ddf_pool_new(uint64_t limit, ddf_pool **out) nogil
    void ddf_pool_release(ddf_pool *pool) nogil
    uint64_t ddf_pool_used(ddf_pool *pool) nogil
    uint64_t ddf_pool_kept(ddf_pool *pool) nogil
    int ddf_arena_new(ddf_pool *pool, size_t size, ddf_arena **out) nogil
    void ddf_arena_retain(ddf_arena *arena) nogil
    void ddf_arena_release(ddf_arena *arena) nogil
    void *ddf_arena_alloc(ddf_arena *arena, size_t size, size_t align, size_t offset) nogil
    uint64_t ddf_arena_size(const ddf_arena *arena) nogil


cdef class Pool:
    cdef ddf_pool *ptr


cdef class Arena:
    cdef ddf_arena *ptr

    @staticmethod
    cdef Arena adopt(ddf_arena *ptr)


# A read-only memoryview of `size` bytes at `data`, which keeps `owner` alive.
cdef object view(object owner, const void *data, size_t size)
