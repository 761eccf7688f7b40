"""Memory that batches live in: pools, arenas, and views that keep them alive."""

from cpython.buffer cimport PyBuffer_FillInfo

from ddfast._native.status cimport check


cdef class Pool:
    def __cinit__(self, uint64_t limit):
        check(ddf_pool_new(limit, &self.ptr), NULL)

    def __dealloc__(self):
        ddf_pool_release(self.ptr)

    @property
    def used(self):
        return ddf_pool_used(self.ptr)

    @property
    def kept(self):
        return ddf_pool_kept(self.ptr)


cdef class Arena:
    def __init__(self):
        raise TypeError("arenas cannot be created directly: readers create them")

    @staticmethod
    cdef Arena adopt(ddf_arena *ptr):
        """Wrap an arena and take over one of its references."""
        cdef Arena arena = Arena.__new__(Arena)
        arena.ptr = ptr
        return arena

    def __dealloc__(self):
        ddf_arena_release(self.ptr)

    @property
    def size(self):
        return ddf_arena_size(self.ptr)


cdef class _View:
    """Exporter of a part of an arena's memory; exists as long as a memoryview of it."""

    cdef object owner
    cdef const void *data
    cdef size_t size

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void *>self.data, self.size, 1, flags)


cdef object view(object owner, const void *data, size_t size):
    cdef _View exporter = _View.__new__(_View)
    exporter.owner = owner
    exporter.data = data
    exporter.size = size
    return memoryview(exporter)
