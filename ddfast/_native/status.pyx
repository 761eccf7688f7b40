"""Converts the status of a kernel to an exception."""

import os

from ddfast.errors import KernelError

# The codes, for Python code that distinguishes failures.
E_TRUNCATED = DDF_E_TRUNCATED
E_TRAILING = DDF_E_TRAILING
E_DEPTH = DDF_E_DEPTH
E_RESERVED = DDF_E_RESERVED
E_UTF8 = DDF_E_UTF8
E_SPAN = DDF_E_SPAN
E_FIELDS = DDF_E_FIELDS
E_INDEX = DDF_E_INDEX
E_COLLISION = DDF_E_COLLISION
E_EOF = DDF_E_EOF
E_CHANGED = DDF_E_CHANGED
E_CANCELLED = DDF_E_CANCELLED
E_LIMIT = DDF_E_LIMIT
E_TYPE = DDF_E_TYPE
E_VALUE = DDF_E_VALUE
E_CHECKSUM = DDF_E_CHECKSUM
E_SYNTAX = DDF_E_SYNTAX


cdef int64_t check(int64_t status, const ddf_err *err) except -1:
    if status >= 0:
        return status
    if status > DDF_E_TRUNCATED:
        error = OSError(-status, os.strerror(-status))
        error.reason = None if err == NULL or err.msg == NULL else err.msg.decode()
        error.item = 0 if err == NULL else err.item
        error.pos = 0 if err == NULL else err.pos
        raise error
    if err == NULL or err.msg == NULL:
        raise KernelError(status, "kernel status")
    raise KernelError(status, err.msg.decode(), err.item, err.pos)
