"""Arrays, numpy scalars and complex numbers straight from the bytes that msgpack-numpy wrote."""

from libc.string cimport memcpy

from ddfast._native.msgpack cimport ddf_utf8_valid

cdef extern from "Python.h":
    void Py_INCREF(PyObject *)
    void Py_XDECREF(PyObject *)

# Declared here, since numpy's own declarations import it with the module: many datasets have no arrays.
cdef extern from "numpy/arrayobject.h":
    ctypedef Py_ssize_t npy_intp
    enum:
        NPY_ARRAY_WRITEABLE
    int import_numpy "_import_array" () except -1
    ctypedef struct type_object "PyTypeObject":
        pass
    ctypedef struct descr_object "PyArray_Descr":
        pass
    ctypedef struct array_object "PyArrayObject":
        pass
    type_object ndarray_type "PyArray_Type"
    PyObject *new_array "PyArray_NewFromDescr" (
        type_object *, descr_object *, int, npy_intp *, npy_intp *, void *, int, PyObject *) except NULL
    PyObject *new_scalar "PyArray_Scalar" (void *, descr_object *, PyObject *) except NULL
    void *array_data "PyArray_DATA" (array_object *)
    void clear_flags "PyArray_CLEARFLAGS" (array_object *, int)

cdef enum:
    NAME_LIMIT = 7  # longest dtype string in bytes that is remembered


cdef class NdDecoder:
    def __dealloc__(self):
        cdef int i
        for i in range(DTYPE_SLOTS):
            Py_XDECREF(self.dtypes[i].descr)

    cdef PyObject *build(self, const uint8_t **p, const uint8_t *end) except? NULL:
        cdef ddf_nd nd
        cdef dtype_slot *slot
        cdef PyObject *value
        cdef const uint8_t *stop = ddf_nd_parse(p[0], end, &nd)
        if stop == NULL:
            return NULL
        if nd.form == DDF_ND_COMPLEX:
            value = complex_number(&nd)
        else:
            slot = find_dtype(self, nd.type, nd.type_len)
            if slot == NULL or not ddf_nd_fits(&nd, slot.itemsize):
                return NULL
            value = array(&nd, slot.descr) if nd.form == DDF_ND_ARRAY else scalar(&nd, slot)
        if value != NULL:
            p[0] = stop
        return value


cdef PyObject *array(const ddf_nd *nd, PyObject *descr) except NULL:
    cdef npy_intp[DDF_ND_MAX_DIMS] dims
    cdef uint32_t i
    for i in range(nd.ndim):
        dims[i] = <npy_intp>nd.shape[i]
    Py_INCREF(descr)  # for the array to keep
    cdef PyObject *out = new_array(&ndarray_type, <descr_object *>descr, nd.ndim, dims, NULL, NULL, 0, NULL)
    memcpy(array_data(<array_object *>out), nd.data, nd.data_len)
    clear_flags(<array_object *>out, NPY_ARRAY_WRITEABLE)
    return out


cdef PyObject *scalar(const ddf_nd *nd, dtype_slot *slot) except? NULL:
    if not slot.is_number:
        return NULL
    dtype = <object>slot.descr  # the slot may get another one meanwhile
    return new_scalar(<void *>nd.data, <descr_object *>dtype, NULL)


cdef PyObject *complex_number(const ddf_nd *nd) except? NULL:
    if not ddf_utf8_valid(nd.data, nd.data_len):
        return NULL
    value = complex((<const char *>nd.data)[:nd.data_len].decode())
    Py_INCREF(<PyObject *>value)
    return <PyObject *>value


cdef bint plain_name(const uint8_t *name, uint32_t size) noexcept:
    """Whether a dtype string is of the kind that numpy writes for numbers, strings and times."""
    cdef uint32_t i
    if size < 2 or name[0] not in b"<>|":
        return False
    cdef bint time = name[1] in b"mM"
    if not time and name[1] not in b"biufcSU":
        return False
    for i in range(2, size):
        if not (c"0" <= name[i] <= c"9" or (time and (c"a" <= name[i] <= c"z" or name[i] in b"[]DMWY"))):
            return False
    return True


cdef object numpy_dtype = None  # numpy.dtype, once a dtype was needed


cdef dtype_slot *find_dtype(NdDecoder self, const uint8_t *name, uint32_t size) except? NULL:
    """The slot of a dtype; NULL if its name is not plain or numpy does not know it."""
    global numpy_dtype
    cdef uint32_t i
    if size > NAME_LIMIT:
        return NULL
    cdef uint64_t packed = <uint64_t>size << 56
    for i in range(size):
        packed |= <uint64_t>name[i] << 8 * i
    cdef dtype_slot *slot = &self.dtypes[packed * <uint64_t>0x9e3779b97f4a7c15 >> 58]
    if slot.descr != NULL and slot.name == packed:
        return slot
    if not plain_name(name, size):
        return NULL
    if numpy_dtype is None:
        import_numpy()
        from numpy import dtype as numpy_dtype
    try:
        dtype = numpy_dtype((<const char *>name)[:size].decode("ascii"))
    except (TypeError, ValueError):
        return NULL
    if dtype.itemsize == 0:
        return NULL
    Py_INCREF(<PyObject *>dtype)
    Py_XDECREF(slot.descr)
    slot.name = packed
    slot.descr = <PyObject *>dtype
    slot.itemsize = dtype.itemsize
    slot.is_number = dtype.kind in "biufc"
    return slot
