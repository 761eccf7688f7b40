from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef extern from "ddf_common.h":
    enum:
        DDF_OK
        DDF_E_TRUNCATED
        DDF_E_TRAILING
        DDF_E_DEPTH
        DDF_E_RESERVED
        DDF_E_UTF8
        DDF_E_SPAN
        DDF_E_FIELDS
        DDF_E_INDEX
        DDF_E_COLLISION
        DDF_E_EOF
        DDF_E_CHANGED
        DDF_E_CANCELLED
        DDF_E_LIMIT
        DDF_E_TYPE
        DDF_E_VALUE
        DDF_E_CHECKSUM
        DDF_E_SYNTAX

    ctypedef struct ddf_slice:
        const uint8_t *data
        uint64_t size

    ctypedef struct ddf_err:
        int code
        const char *msg
        uint64_t item
        uint64_t pos


# Raise the exception for a kernel's status, and return counts unchanged. `err` may be NULL if the code is sufficient.
cdef int64_t check(int64_t status, const ddf_err *err) except -1
