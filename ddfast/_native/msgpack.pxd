from libc.stddef cimport size_t
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_msgpack.h":
    enum:
        DDF_MAX_DEPTH

    ctypedef enum ddf_kind:
        DDF_NIL
        DDF_BOOL
        DDF_INT
        DDF_UINT
        DDF_FLOAT
        DDF_STR
        DDF_BIN
        DDF_EXT
        DDF_ARRAY
        DDF_MAP

    ctypedef union ddf_token_value "ddf_token.value":
        int64_t i
        uint64_t u
        double f

    ctypedef struct ddf_token:
        ddf_kind kind
        int8_t ext_type
        uint32_t len
        const uint8_t *data
        ddf_token_value value

    const uint8_t *ddf_token_read(const uint8_t *p, const uint8_t *end, ddf_token *out, int *status) nogil
    const uint8_t *ddf_msgpack_skip(
        const uint8_t *p, const uint8_t *end, const uint8_t *base, ddf_err *err) nogil
    int ddf_msgpack_check(const uint8_t *p, size_t len, int utf8, ddf_err *err) nogil
    int ddf_msgpack_check_run(
        const uint8_t *p, size_t len, const uint64_t *ends, size_t n, int utf8, ddf_err *err) nogil
    int64_t ddf_msgpack_split(const uint8_t *p, size_t len, uint64_t *offsets, size_t room, ddf_err *err) nogil
    int ddf_utf8_valid(const uint8_t *p, size_t len) nogil
