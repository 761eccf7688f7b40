"""The data file, open for reading."""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from ddfast._native.status cimport check

from ddfast._native.content import failed_to_open


# Passed instead of a path.
cdef object REMOTE = object()


cdef class File:
    def __cinit__(self, path):
        if path is REMOTE:
            return
        name = os.fsencode(path)
        cdef const char *c_name = name
        cdef int status
        with nogil:
            status = ddf_file_open(c_name, &self.ptr)
        if status < 0:
            raise failed_to_open(path, -status)

    @staticmethod
    def remote(uint64_t size):
        cdef File self = File.__new__(File, REMOTE)
        check(ddf_file_remote(size, &self.ptr), NULL)
        return self

    def __dealloc__(self):
        ddf_file_release(self.ptr)

    @property
    def size(self):
        return ddf_file_size(self.ptr)

    def fileno(self):
        return ddf_file_fd(self.ptr)

    cpdef check_unchanged(self):
        cdef ddf_err err
        check(ddf_file_check(self.ptr, &err), &err)

    def read(self, uint64_t offset, size_t size):
        if offset > ddf_file_size(self.ptr) or size > ddf_file_size(self.ptr) - offset:
            raise ValueError(f"bytes {offset:,} to {offset + size:,} are outside of the file")
        data = PyBytes_FromStringAndSize(NULL, size)
        read_into(self.ptr, <uint8_t *>PyBytes_AS_STRING(data), size, offset)
        return data


cdef int read_into(ddf_file *file, uint8_t *buffer, size_t size, uint64_t offset) except -1:
    cdef ddf_err err
    cdef int status
    with nogil:
        status = ddf_retry_read(file, buffer, size, offset, NULL, &err)
    check(status, &err)
    return 0


cdef int read_parts(ddf_file *file, ddf_room *parts, uint64_t offset) except -1:
    cdef ddf_err err
    cdef int status
    with nogil:
        status = ddf_retry_read_parts(file, parts, offset, &err)
    check(status, &err)
    return 0


def is_local(int fd):
    cdef int result
    with nogil:
        result = ddf_sys_is_local(fd)
    return result != 0


def start_writeback(int fd, uint64_t offset, uint64_t size):
    with nogil:
        ddf_sys_start_writeback(fd, offset, size)
