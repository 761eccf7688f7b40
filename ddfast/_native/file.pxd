from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_sys.h":
    ctypedef struct ddf_room:
        void *data
        size_t size

    int ddf_sys_is_local(int fd) nogil
    void ddf_sys_start_writeback(int fd, uint64_t offset, uint64_t len) nogil


cdef extern from "ddf_file.h":
    ctypedef struct ddf_file:
        pass
    ctypedef enum ddf_access:
        DDF_SCATTERED
        DDF_DENSE
        DDF_DIRECT
    int ddf_file_open(const char *path, ddf_file **out) nogil
    int ddf_file_remote(uint64_t size, ddf_file **out) nogil
    void ddf_file_retain(ddf_file *file) nogil
    void ddf_file_release(ddf_file *file) nogil
    uint64_t ddf_file_size(const ddf_file *file) nogil
    int ddf_file_fd(const ddf_file *file) nogil
    int ddf_file_check(const ddf_file *file, ddf_err *err) nogil
    int ddf_file_can_be_ready(const ddf_file *file) nogil
    const uint8_t *ddf_file_view(ddf_file *file, size_t len, uint64_t offset) nogil
    size_t ddf_file_read_ready(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset) nogil


cdef extern from "ddf_retry.h":
    int ddf_retry_read(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset, const void *stop,
                       ddf_err *err) nogil
    int ddf_retry_read_parts(ddf_file *file, const ddf_room *parts, uint64_t offset, ddf_err *err) nogil


# Read a whole range, into one place or three, without the GIL.
cdef int read_into(ddf_file *file, uint8_t *buffer, size_t size, uint64_t offset) except -1
cdef int read_parts(ddf_file *file, ddf_room *parts, uint64_t offset) except -1


cdef class File:
    cdef ddf_file *ptr

    cpdef check_unchanged(self)
