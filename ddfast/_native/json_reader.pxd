from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t

from ddfast._native.status cimport ddf_err, ddf_slice


cdef extern from "ddf_sys.h":
    int64_t ddf_sys_read(int fd, void *buffer, size_t len, uint64_t offset) nogil


cdef extern from "ddf_json.h":
    ctypedef struct ddf_json_buffer:
        uint8_t *data
        size_t size
        size_t room
        size_t hint

    ctypedef enum ddf_json_kind:
        DDF_JSON_INT
        DDF_JSON_NUMBER
        DDF_JSON_BOOL
        DDF_JSON_STRING
        DDF_JSON_NUMBERS
        DDF_JSON_SEGMENTS
        DDF_JSON_RAW

    ctypedef enum ddf_json_state:
        DDF_JSON_MISSING
        DDF_JSON_PRESENT
        DDF_JSON_NULL
        DDF_JSON_OTHER
        DDF_JSON_FLAT

    ctypedef struct ddf_json_column:
        ddf_json_kind kind
        const uint8_t *name
        size_t name_size
        ddf_json_buffer states
        ddf_json_buffer values
        ddf_json_buffer offsets
        ddf_json_buffer parts
        ddf_json_buffer other_rows
        ddf_json_buffer other_offsets
        ddf_json_buffer other

    ctypedef struct ddf_json_array:
        const uint8_t *name
        size_t name_size
        ddf_json_column *columns
        size_t n_columns
        int has_extra
        ddf_json_column extra
        size_t rows
        uint64_t first

    ctypedef struct ddf_json_options:
        size_t window
        size_t max_record
        size_t chunk_records
        size_t chunk_bytes
        size_t max_rest

    ctypedef struct ddf_json:
        pass

    ctypedef enum ddf_json_event:
        DDF_JSON_DONE
        DDF_JSON_FEED
        DDF_JSON_CHUNK
        DDF_JSON_MEMBER

    ctypedef struct ddf_json_rest:
        ddf_slice name
        ddf_slice text
        uint64_t start
        uint64_t size

    uint8_t *ddf_json_release(ddf_json_buffer *buffer)
    void ddf_json_array_free(ddf_json_array *array)
    ddf_json *ddf_json_new(ddf_json_array *arrays, size_t n_arrays, const ddf_json_options *options)
    void ddf_json_free(ddf_json *json)
    uint8_t *ddf_json_room(ddf_json *json, size_t *size, ddf_err *err) nogil
    void ddf_json_fed(ddf_json *json, size_t size)
    void ddf_json_end(ddf_json *json)
    int ddf_json_run(ddf_json *json, ddf_err *err) nogil
    ddf_json_array *ddf_json_chunk(ddf_json *json)
    void ddf_json_member(const ddf_json *json, ddf_json_rest *out)
    void ddf_json_place(const ddf_json *json, uint64_t pos, uint64_t *line, uint64_t *column)


# Memory that a kernel allocated, as a buffer that Python owns.
cdef class KernelMemory:
    cdef uint8_t *data
    cdef Py_ssize_t size


# The contents of a buffer, which loses them, as an array that owns them.
cdef object taken(ddf_json_buffer *buffer, object dtype)


cdef class JSONReader:
    cdef ddf_json *json
    cdef ddf_json_array *arrays
    cdef size_t n_arrays
    cdef ddf_json_options options
    cdef list names
    cdef dict kinds
    cdef object read
    cdef str label
    cdef const uint8_t[::1] view
    cdef int descriptor
    cdef uint64_t offset
    cdef bint is_done
    cdef bint is_busy
    cdef readonly dict rest
    cdef readonly dict skipped

    cdef int open_source(self, object source) except -1
    cdef int set_up(self, object schemas, bint extra) except -1
    cdef int set_up_array(self, ddf_json_array *array, str name, object fields, bint extra) except -1
    cdef const uint8_t *borrow(self, str name, size_t *size) except NULL
    cdef int advance(self) except -1
    cdef int feed(self) except -1
    cdef int64_t fill(self, uint8_t *room, size_t size) except -1
    cdef int note_member(self) except -1
    cdef object table(self)
    cdef object failure(self, const ddf_err *err)
