"""The queue of reads of one reader."""

from posix.unistd cimport getpid

from ddfast._native.status cimport check


cdef class Engine:
    def __cinit__(self, size_t queue_depth, size_t ready_threads=0, str io="auto"):
        cdef ddf_io way = io_named(io)
        self.pid = getpid()
        check(ddf_engine_new(queue_depth, ready_threads, way, &self.ptr), NULL)

    def __dealloc__(self):
        if self.ptr != NULL and self.is_ours():
            ddf_engine_release(self.ptr)

    cdef bint is_ours(self) noexcept:
        return getpid() == self.pid

    def fileno(self):
        return ddf_engine_fd(self.ptr)

    def arm(self):
        ddf_engine_arm(self.ptr)

    def clear(self):
        ddf_engine_clear(self.ptr)

    @property
    def progress(self):
        return ddf_engine_progress(self.ptr)

    @property
    def threads(self):
        return ddf_engine_threads(self.ptr)

    def stop(self, double timeout):
        cdef int status
        cdef int timeout_ms = <int>(min(timeout, 86400.0) * 1000)
        if not self.is_ours():
            return True
        with nogil:
            status = ddf_engine_stop(self.ptr, timeout_ms)
        return status == 0


cdef ddf_io io_named(str name) except? DDF_IO_AUTO:
    if name == "auto":
        return DDF_IO_AUTO
    if name == "threads":
        return DDF_IO_THREADS
    if name == "uring":
        return DDF_IO_URING
    if name == "direct":
        return DDF_IO_DIRECT
    raise ValueError(f"io is {name!r}, not 'auto', 'threads', 'uring' or 'direct'")
