from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_engine.h":
    ctypedef struct ddf_engine:
        pass
    ctypedef struct ddf_job:
        int status
        ddf_err err
        uint64_t waited
    ctypedef enum ddf_io:
        DDF_IO_AUTO
        DDF_IO_THREADS
        DDF_IO_URING
        DDF_IO_DIRECT
    int ddf_engine_new(size_t queue_depth, size_t ready_threads, ddf_io io, ddf_engine **out) nogil
    void ddf_engine_cancel(ddf_engine *engine, ddf_job *job) nogil
    int ddf_job_is_done(const ddf_job *job) nogil
    int ddf_engine_wait(ddf_engine *engine, ddf_job *job, int timeout_ms) nogil
    int ddf_engine_fd(const ddf_engine *engine) nogil
    void ddf_engine_arm(ddf_engine *engine) nogil
    void ddf_engine_clear(ddf_engine *engine) nogil
    uint64_t ddf_engine_progress(ddf_engine *engine) nogil
    size_t ddf_engine_threads(ddf_engine *engine) nogil
    int ddf_engine_stop(ddf_engine *engine, int timeout_ms) nogil
    void ddf_engine_release(ddf_engine *engine) nogil


cdef class Engine:
    cdef ddf_engine *ptr
    cdef int pid

    # False in a forked child: the threads and the state of the locks stayed with the parent.
    cdef bint is_ours(self) noexcept
