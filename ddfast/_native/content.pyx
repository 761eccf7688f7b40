"""The content of an index file, which is read where it is used."""

import errno
import os

from cpython.buffer cimport PyBuffer_FillInfo

from ddfast._native.status cimport check

from ddfast.errors import DatasetChangedError, KernelError, ReadError


cdef class Content:
    def __cinit__(self, path):
        self.path = os.fspath(path)
        name = os.fsencode(path)
        cdef const char *c_name = name
        cdef int status
        with nogil:
            status = ddf_content_open(c_name, &self.ptr)
        if status < 0:
            raise failed_to_open(self.path, -status)
        self.size = ddf_content_size(self.ptr)

    def __dealloc__(self):
        with nogil:
            ddf_content_release(self.ptr)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.hold(0, self.size)
        cdef const void *memory = ddf_content_memory(self.ptr)
        PyBuffer_FillInfo(buffer, self, <void *>(memory if self.size else &self.size), self.size, 1, flags)

    cdef int hold(self, uint64_t at, uint64_t size) except -1:
        cdef ddf_err err
        cdef int status
        with nogil:
            status = ddf_content_hold(self.ptr, at, size, &err)
        if status < 0:
            try:
                check(status, &err)
            except (KernelError, OSError) as error:
                raise explained(self.path, error) from None
        return 0


def failed_to_open(path, int code):
    """The error for a file that cannot be opened; OSError, of the class that belongs to its number."""
    if code == errno.EINVAL:
        return ReadError(code, "it is a pipe, a socket or a device, not a file", os.fspath(path))
    if code in (errno.ENOENT, errno.EISDIR, errno.EACCES, errno.ENOTDIR):
        return OSError(code, os.strerror(code), os.fspath(path))
    return ReadError(code, f"{os.strerror(code)}: cannot open it", os.fspath(path))


def explained(path, error):
    """The error for a file that cannot be read, from the error of a kernel."""
    if isinstance(error, OSError):
        return ReadError(error.errno, f"{error.strerror}: cannot read it", os.fspath(path))
    return DatasetChangedError(
        f"{path} was truncated or replaced while it was open. Replace datasets by renaming new files over the old "
        "ones, and open the dataset again."
    )
