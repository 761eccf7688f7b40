"""One group of batches that is being fetched."""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport Py_INCREF
from libc.stdlib cimport free, malloc

from ddfast._native.arena cimport ddf_arena_retain
from ddfast._native.columns cimport Table
from ddfast._native.engine cimport ddf_engine_wait, ddf_job_is_done
from ddfast._native.order cimport Order
from ddfast._native.status cimport check

cnp.import_array()


# What it owns refers to nothing, and __dealloc__ needs all of it: the collector must not clear it before.
@cython.no_gc
cdef class Fetch:
    def __cinit__(self, Engine engine not None, Shards shards not None, Pool pool not None, *,
                  indices=None, Order order=None, uint64_t first=0, uint64_t stride=0, size_t count=0,
                  size_t batch_size=0, columns=None, bint tables=True, uint64_t max_gap, uint64_t max_read,
                  uint64_t max_bytes=0):
        cdef ddf_fetch_request request
        cdef const int64_t[::1] wanted
        request.shards, request.pool = shards.ptr, pool.ptr
        request.indices = NULL
        if indices is not None:
            wanted = indices
            count = wanted.shape[0]
            request.indices = &wanted[0] if count else NULL
        elif order is not None:
            request.order = order.spec
        if count == 0 or batch_size == 0 or max_read == 0 or (indices is None and order is None):
            raise ValueError("a fetch needs at least one sample, from either indices or an order")
        request.first, request.stride, request.count, request.batch_size = first, stride, count, batch_size
        request.tables, request.max_gap, request.max_read, request.max_bytes = tables, max_gap, max_read, max_bytes
        self.engine, self.shards, self.order = engine, shards, order
        self.count, self.batch_size, self.first, self.stride = count, batch_size, first, stride
        names = None if columns is None else [name.encode() for name in columns]
        check(create(&request, names, &self.ptr), NULL)

    def __dealloc__(self):
        if self.ptr != NULL and self.engine is not None and self.engine.is_ours():
            with nogil:
                ddf_fetch_release(self.ptr, self.engine.ptr)

    cdef int hand_over(self) except -1:
        if self.handed_over:
            raise RuntimeError("a fetch can be submitted or run only once")
        self.handed_over = True
        return 0

    def submit(self):
        self.hand_over()
        ddf_fetch_submit(self.ptr, self.engine.ptr)

    def run(self, double timeout):
        cdef int status
        cdef int timeout_ms = <int>(min(timeout, 86400.0) * 1000)
        self.hand_over()
        with nogil:
            status = ddf_fetch_run(self.ptr, self.engine.ptr, timeout_ms)
        return status == 0

    def wait(self, double timeout):
        cdef int status
        cdef int timeout_ms = <int>(min(timeout, 86400.0) * 1000)
        with nogil:
            status = ddf_engine_wait(self.engine.ptr, ddf_fetch_job(self.ptr), timeout_ms)
        return status == 0

    @property
    def done(self):
        return ddf_job_is_done(ddf_fetch_job(self.ptr)) != 0

    @property
    def held(self):
        return ddf_fetch_held(self.ptr)

    @property
    def waited(self):
        return ddf_fetch_job(self.ptr).waited

    @property
    def cost(self):
        self.require_done()
        cdef ddf_fetch_cost cost = ddf_fetch_get_cost(self.ptr)
        return cost.bytes, cost.reads, cost.merged

    def __len__(self):
        return ddf_fetch_batches(self.ptr)

    def check(self):
        self.require_done()
        cdef ddf_job *job = ddf_fetch_job(self.ptr)
        check(job.status, &job.err)

    def table(self, size_t batch):
        cdef const ddf_err *err
        cdef ddf_table *table
        self.check()
        if batch >= ddf_fetch_batches(self.ptr):
            raise IndexError(f"batch {batch} out of range: the fetch has {len(self)} batches")
        table = ddf_fetch_table(self.ptr, batch, &err)
        if table == NULL:
            check(err.code, err)
        return Table.wrap(table, self.own_arena())

    def span(self, size_t sample):
        self.table(sample // self.batch_size)
        if sample >= self.count:  # in the last batch
            raise IndexError(f"sample {sample} out of range: the fetch has {self.count}")
        cdef ddf_span span = ddf_fetch_span(self.ptr, sample)
        return span.start, span.stop

    def indices(self, size_t batch):
        self.require_done()
        if ddf_fetch_indices(self.ptr) == NULL:
            self.check()
        cdef size_t start = batch * self.batch_size
        cdef size_t left = self.count - start if start < self.count else 0
        cdef cnp.npy_intp n = <cnp.npy_intp>(left if left < self.batch_size else self.batch_size)
        array = cnp.PyArray_SimpleNewFromData(1, &n, cnp.NPY_INT64, ddf_fetch_indices(self.ptr) + start)
        arena = self.own_arena()
        Py_INCREF(arena)  # the array takes over this reference
        cnp.PyArray_SetBaseObject(array, arena)
        return array

    cdef int require_done(self) except -1:
        if not ddf_job_is_done(ddf_fetch_job(self.ptr)):
            raise RuntimeError("the fetch is not done yet")
        return 0

    cdef Arena own_arena(self):
        """The arena as an object, the same for all batches."""
        cdef ddf_arena *arena
        if self.arena is None:
            arena = ddf_fetch_arena(self.ptr)
            ddf_arena_retain(arena)
            self.arena = Arena.adopt(arena)
        return self.arena


cdef int create(ddf_fetch_request *request, list names, ddf_fetch **out) except? -1:
    """Build the fetch, with the names of the selected columns (None: all) in the form that the kernel requires."""
    cdef ddf_slice *slices = NULL
    cdef size_t i
    request.names, request.names_n = NULL, 0
    if names is not None:
        slices = <ddf_slice *>malloc(len(names) * sizeof(ddf_slice) + 1)
        if slices == NULL:
            raise MemoryError
        for i in range(len(names)):
            slices[i].data, slices[i].size = <const unsigned char *><const char *>names[i], len(names[i])
        request.names, request.names_n = slices, len(names)
    cdef int status = ddf_fetch_new(request, out)
    free(slices)
    return status
