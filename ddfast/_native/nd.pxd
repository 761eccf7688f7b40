from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef extern from "ddf_nd.h":
    enum:
        DDF_ND_MAX_DIMS

    ctypedef enum ddf_nd_form:
        DDF_ND_ARRAY
        DDF_ND_SCALAR
        DDF_ND_COMPLEX

    ctypedef struct ddf_nd:
        ddf_nd_form form
        uint32_t type_len
        uint32_t data_len
        uint32_t ndim
        const uint8_t *type
        const uint8_t *data
        uint64_t *shape

    const uint8_t *ddf_nd_parse(const uint8_t *p, const uint8_t *end, ddf_nd *out) nogil
    int ddf_nd_fits(const ddf_nd *nd, uint64_t itemsize) nogil


cdef enum:
    DTYPE_SLOTS = 64


# A dtype string of at most 7 bytes that has been seen, its length in the top byte, and the owned dtype.
cdef struct dtype_slot:
    uint64_t name
    PyObject *descr
    uint64_t itemsize
    bint is_number


cdef class NdDecoder:
    cdef dtype_slot[DTYPE_SLOTS] dtypes

    # The value of the map at `p[0]`, a new reference; `p[0]` moves to its end. NULL without an exception: the map
    # is something else, or needs the general rules of ddfast._util.nd.
    cdef PyObject *build(self, const uint8_t **p, const uint8_t *end) except? NULL
