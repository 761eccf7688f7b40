from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from ddfast._native.json_reader cimport ddf_json_buffer, ddf_json_kind
from ddfast._native.status cimport ddf_err, ddf_slice


cdef extern from "ddf_json_write.h":
    ctypedef struct ddf_json_field:
        ddf_slice name
        ddf_slice literal
        ddf_json_kind kind
        const uint8_t *states
        const void *values
        uint64_t n_values
        const int64_t *offsets
        const int64_t *parts
        uint64_t n_parts
        const int32_t *other_rows
        const int64_t *other_offsets
        const uint8_t *other
        uint64_t n_other_rows
        uint64_t n_other

    ctypedef struct ddf_json_write_options:
        int missing_is_null
        int is_short
        ddf_slice between
        size_t chunk_bytes

    void ddf_json_buffer_free(ddf_json_buffer *buffer)
    int64_t ddf_json_write(
        ddf_json_field *fields, size_t n, uint64_t row, uint64_t rows, const ddf_json_write_options *options,
        ddf_json_buffer *out, ddf_err *err) nogil
    int ddf_json_write_numbers(
        const double *values, size_t n, int is_short, int64_t *offsets, ddf_json_buffer *out) nogil


cdef class JSONRecords:
    cdef ddf_json_field *fields
    cdef size_t n_fields
    cdef ddf_json_write_options options
    cdef ddf_json_buffer out
    cdef list names
    cdef list borrowed
    cdef uint64_t row
    cdef uint64_t rows
    cdef bint is_busy

    cdef ddf_slice borrow(self, bytes text)
    cdef const void *array(self, object values, object dtype, uint64_t least, str what, uint64_t *size) except NULL
    cdef int set_up(self, ddf_json_field *field, str name, object column) except -1
