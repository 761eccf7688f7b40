from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_content.h":
    ctypedef struct ddf_content:
        pass
    int ddf_content_open(const char *path, ddf_content **out) nogil
    void ddf_content_release(ddf_content *content) nogil
    uint64_t ddf_content_size(const ddf_content *content) nogil
    const uint8_t *ddf_content_memory(const ddf_content *content) nogil
    int ddf_content_hold(ddf_content *content, uint64_t at, uint64_t len, ddf_err *err) nogil


cdef class Content:
    cdef readonly object path
    cdef ddf_content *ptr
    cdef Py_ssize_t size

    # Read a range, without the GIL; DatasetChangedError or ReadError, which name the file.
    cdef int hold(self, uint64_t at, uint64_t size) except -1
