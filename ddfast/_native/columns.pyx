"""Tables of a batch and their columns, over memory that the column kernel filled."""

from collections.abc import Sequence
from types import GenericAlias

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy

import numpy as np

from ddfast._native.arena cimport Pool, ddf_arena_alloc, ddf_arena_new, view
from ddfast._native.decode cimport Decoder
from ddfast._native.nd cimport ddf_nd, ddf_nd_parse
from ddfast._native.status cimport check

from ddfast.errors import KernelError

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyTypeObject:
        pass
    PyTypeObject PyArray_Type
    object PyArray_NewFromDescr(
        PyTypeObject *subtype, cnp.dtype descr, int nd, cnp.npy_intp *dims, cnp.npy_intp *strides, void *data,
        int flags, PyObject *obj)

cdef object UNSET = object()

# kind of the kernel -> name of the kind, and dtype of its data
cdef tuple KINDS = (
    "object", "int64", "uint64", "float64", "bool", "complex128", "str", "bytes", "array", "arrays",
)
cdef tuple DTYPES = (
    None, np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.float64), np.dtype(np.bool_), np.dtype(np.complex128),
    None, None, None, None,
)
cdef dict dtypes_seen = {}  # dtype string -> dtype; only strings that the kernel knows come here, so it stays small


cdef cnp.dtype dtype_of(const uint8_t *name, size_t size):
    cdef bytes key = PyBytes_FromStringAndSize(<const char *>name, size)
    found = dtypes_seen.get(key)
    if found is None:
        found = dtypes_seen[key] = np.dtype(key.decode())
    return found


cdef object array_at(Arena owner, const void *data, cnp.dtype dtype, int ndim, cnp.npy_intp *dims, bint writable):
    """An array over memory of the arena; numpy determines whether it is aligned."""
    Py_INCREF(dtype)  # the call takes one over
    array = PyArray_NewFromDescr(
        &PyArray_Type, dtype, ndim, dims, NULL, <void *>data, cnp.NPY_ARRAY_WRITEABLE if writable else 0, NULL)
    cnp.set_array_base(array, owner)
    return array


cdef inline object text(const ddf_slice *span):
    return PyUnicode_DecodeUTF8(<const char *>span.data, span.size, NULL)


cdef class Table:
    def __init__(self):
        raise TypeError("tables cannot be created directly: readers and build_table create them")

    @staticmethod
    cdef Table wrap(ddf_table *table, Arena arena):
        cdef Table self = Table.__new__(Table)
        self.ptr = table
        self.arena = arena
        return self

    def __len__(self):
        return self.ptr.n

    @property
    def nbytes(self):
        return self.ptr.nbytes

    @property
    def raw(self):
        return self.ptr.raw != 0

    @property
    def selected(self):
        return self.ptr.selected != 0

    @property
    def crowded(self):
        return self.ptr.crowded != 0

    @property
    def odd_names(self):
        return self.ptr.odd_names != 0

    @property
    def reserved(self):
        return self.ptr.reserved != 0

    @property
    def names(self):
        cdef size_t i
        return [text(&self.ptr.columns[i].name) for i in range(self.ptr.columns_n)]

    def describe(self, size_t column):
        cdef ddf_column *it = column_of(self, column)
        cdef uint32_t i
        if it.kind != DDF_COLUMN_STACKED:
            return KINDS[<int>it.kind], DTYPES[<int>it.kind], ()
        shape = tuple([it.shape[i] for i in range(it.ndim)])
        return KINDS[<int>it.kind], dtype_of(it.dtype.data, it.dtype.size), shape

    def packed(self, size_t row):
        cdef const ddf_slice *sample = sample_of(self, row)
        return view(self.arena, sample.data, sample.size)

    def packed_bytes(self, size_t row):
        cdef const ddf_slice *sample = sample_of(self, row)
        return PyBytes_FromStringAndSize(<const char *>sample.data, sample.size)

    def joined(self, rows):
        cdef size_t n = len(rows), first = rows.start
        cdef ptrdiff_t step = rows.step
        cdef bint in_place
        cdef uint8_t *data
        if n == 0:
            return b"", np.empty(0, np.uint64)
        sample_of(self, rows[0]), sample_of(self, rows[n - 1])  # the rows in between are within
        ends = np.empty(n, np.uint64)
        cdef uint64_t[::1] stops = ends
        with nogil:
            in_place = ddf_table_ends(self.ptr, first, step, n, &stops[0])
        if in_place:
            return view(self.arena, self.ptr.samples[first].data, stops[n - 1]), ends
        copy = PyBytes_FromStringAndSize(NULL, stops[n - 1])
        data = <uint8_t *>PyBytes_AS_STRING(copy)
        with nogil:
            ddf_table_join(self.ptr, first, step, n, data)
        return copy, ends

    def decode(self, size_t row, Decoder decoder not None):
        cdef const ddf_slice *sample = sample_of(self, row)
        try:
            return decoder.decode(sample.data, sample.size)
        except KernelError as error:
            raise KernelError(error.code, error.reason, row, error.pos) from error.__cause__

    def decode_run(self, size_t start, size_t stop, uint64_t room, Decoder decoder not None):
        cdef list samples = []
        cdef const ddf_slice *sample
        cdef size_t row
        cdef uint64_t taken = 0
        try:
            for row in range(start, stop):
                sample = sample_of(self, row)
                samples.append(decoder.decode(sample.data, sample.size))
                taken += sample.size
                if taken >= room:
                    break
        except ValueError:
            if not samples:
                return [self.decode(start, decoder)]  # names the row
        return samples

    def packed_run(self, size_t start, size_t stop, uint64_t room):
        cdef list samples = []
        cdef size_t row
        cdef uint64_t taken = 0
        for row in range(start, stop):
            samples.append(self.packed_bytes(row))
            taken += self.ptr.samples[row].size
            if taken >= room:
                break
        return samples

    def decode_value(self, size_t column, size_t row, Decoder decoder not None):
        cdef const ddf_slice *sample = sample_of(self, row)
        cdef const uint8_t *p = column_of(self, column).at[row]
        if p == NULL:
            return None
        try:
            return decoder.decode_value(p, sample.data + sample.size)
        except KernelError as error:
            raise KernelError(error.code, error.reason, row, error.pos + (p - sample.data)) from error.__cause__

    def column(self, size_t column):
        cdef ddf_column *it = column_of(self, column)
        cdef Column values
        if it.kind == DDF_COLUMN_STACKED:
            return stacked(self, it)
        if it.data != NULL and it.kind <= DDF_COLUMN_BOOL:
            return numbers(self, it)
        if it.kind == DDF_COLUMN_STR:
            values = StrColumn.__new__(StrColumn)
        elif it.kind == DDF_COLUMN_BYTES:
            values = BytesColumn.__new__(BytesColumn)
        elif it.kind == DDF_COLUMN_VIEWS:
            values = ViewsColumn.__new__(ViewsColumn)
        else:
            return None
        values.table = self
        values.ptr = it
        values.step = 1
        values.n = self.ptr.n
        return values

    def view_buffers(self, size_t column):
        cdef ddf_column *it = strings_of(self, column)
        cdef uint64_t at, size = self.ptr.region.size
        windows = [
            view(self.arena, self.ptr.region.data + at, min(size - at, 3 * <uint64_t>DDF_WINDOW))
            for at in range(0, size, <uint64_t>DDF_WINDOW)
        ]
        return view(self.arena, it.data, self.ptr.n * sizeof(ddf_view)), windows

    def join_values(self, size_t column, rows):
        cdef ddf_column *it = strings_of(self, column)
        cdef size_t n = len(rows), first = rows.start
        cdef ptrdiff_t step = rows.step
        cdef uint8_t *data
        offsets = np.zeros(n + 1, np.uint64)
        if n == 0:
            return b"", offsets
        sample_of(self, rows[0]), sample_of(self, rows[n - 1])  # the rows in between are within
        cdef uint64_t[::1] ends = offsets[1:]
        with nogil:
            ddf_column_ends(it, first, step, n, &ends[0])
        joined = PyBytes_FromStringAndSize(NULL, ends[n - 1])
        data = <uint8_t *>PyBytes_AS_STRING(joined)
        with nogil:
            ddf_column_join(self.ptr, it, first, step, n, data)
        return joined, offsets


cdef ddf_column *strings_of(Table table, size_t column) except NULL:
    cdef ddf_column *it = column_of(table, column)
    if it.kind != DDF_COLUMN_STR and it.kind != DDF_COLUMN_BYTES:
        raise ValueError("only str and bytes columns have values to view or to join")
    return it


cdef ddf_column *column_of(Table table, size_t column) except NULL:
    if column >= table.ptr.columns_n:
        raise IndexError(f"column {column} of {table.ptr.columns_n}")
    return &table.ptr.columns[column]


cdef const ddf_slice *sample_of(Table table, size_t row) except NULL:
    if row >= table.ptr.n:
        raise IndexError(f"sample {row} of {table.ptr.n}")
    return &table.ptr.samples[row]


cdef object numbers(Table table, ddf_column *column):
    cdef cnp.npy_intp n = table.ptr.n
    return array_at(table.arena, column.data, DTYPES[<int>column.kind], 1, &n, True)


cdef object stacked(Table table, ddf_column *column):
    cdef cnp.npy_intp[32] dims
    cdef uint32_t i
    dims[0] = table.ptr.n
    for i in range(column.ndim):
        dims[i + 1] = column.shape[i]
    dtype = dtype_of(column.dtype.data, column.dtype.size)
    return array_at(table.arena, column.data, dtype, column.ndim + 1, dims, True)


cdef class Column:
    def __init__(self):
        raise TypeError("columns cannot be created directly: batches create them")

    @classmethod
    def __class_getitem__(cls, item):
        return GenericAlias(cls, item)

    cdef object item(self, size_t row):
        raise NotImplementedError

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        cdef Py_ssize_t i
        if isinstance(index, slice):
            return sliced(self, index)
        i = index
        if i < 0:
            i += self.n
        if i < 0 or i >= self.n:
            raise IndexError(f"index {index} out of range: the column has {self.n:,} values")
        return self.item(self.start + i * self.step)

    def __iter__(self):
        cdef Py_ssize_t i
        for i in range(self.n):
            yield self.item(self.start + i * self.step)

    def tolist(self):
        cdef Py_ssize_t i
        return [self.item(self.start + i * self.step) for i in range(self.n)]

    def index(self, value, start=0, stop=None):
        return self.tolist().index(value, *slice(start, stop).indices(self.n)[:2])

    def count(self, value):
        return self.tolist().count(value)

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("the values of this column are not in an array: a copy is needed")
        array = np.empty(self.n, dtype=object)
        for i, value in enumerate(self.tolist()):
            array[i] = value
        return array if dtype is None else array.astype(dtype)

    def __reduce__(self):
        return list, (self.tolist(),)

    def __repr__(self):
        shown = ", ".join([repr(value)[:60] for value in self[:3].tolist()])
        return f"{type(self).__name__}([{shown}{', ...' if self.n > 3 else ''}], {self.n})"


cdef Column sliced(Column column, slice index):
    cdef type kind = type(column)
    cdef Column part = kind.__new__(kind)
    start, stop, step = index.indices(column.n)
    part.table = column.table
    part.ptr = column.ptr
    part.n = len(range(start, stop, step))
    part.start = column.start + start * column.step
    part.step = column.step * step
    if isinstance(column, ObjectColumn):
        (<ObjectColumn>part).decode = (<ObjectColumn>column).decode
        (<ObjectColumn>part).values = (<ObjectColumn>column).values
    return part


cdef class StrColumn(Column):
    cdef object item(self, size_t row):
        cdef ddf_slice span = ddf_column_bytes(self.table.ptr, self.ptr, row)
        return text(&span)


cdef class BytesColumn(Column):
    cdef object item(self, size_t row):
        cdef ddf_slice span = ddf_column_bytes(self.table.ptr, self.ptr, row)
        return view(self.table.arena, span.data, span.size)

    def tolist(self):
        cdef Py_ssize_t i
        cdef ddf_slice span
        values = []
        for i in range(self.n):
            span = ddf_column_bytes(self.table.ptr, self.ptr, self.start + i * self.step)
            values.append(PyBytes_FromStringAndSize(<const char *>span.data, span.size))
        return values


cdef class ViewsColumn(Column):
    cdef object item(self, size_t row):
        cdef const ddf_slice *sample = &self.table.ptr.samples[row]
        cdef cnp.npy_intp[32] dims
        cdef uint32_t i
        cdef ddf_nd nd
        ddf_nd_parse(self.ptr.at[row], sample.data + sample.size, &nd)
        for i in range(nd.ndim):
            dims[i] = nd.shape[i]
        return array_at(self.table.arena, nd.data, dtype_of(nd.type, nd.type_len), nd.ndim, dims, False)


cdef class ObjectColumn(Column):
    def __cinit__(self, Py_ssize_t n=0, decode=None):
        self.n = n
        self.step = 1
        self.decode = decode
        self.values = [UNSET] * n

    def __init__(self, Py_ssize_t n, decode):
        pass

    cdef object item(self, size_t row):
        value = self.values[row]
        if value is UNSET:
            value = self.values[row] = self.decode(row)
        return value


Sequence.register(Column)


cdef ddf_slice *place(ddf_arena *arena, list items) except NULL:
    """Copy byte strings into the arena, one after the other, followed by their spans."""
    cdef size_t n = len(items), size = sum([len(item) for item in items])
    cdef uint8_t *at = <uint8_t *>ddf_arena_alloc(arena, size + 1, 1, 0)
    cdef ddf_slice *spans = <ddf_slice *>ddf_arena_alloc(arena, (n + 1) * sizeof(ddf_slice), 8, 0)
    cdef bytes item
    if at == NULL or spans == NULL:
        raise MemoryError
    spans[0].data = at
    for i, item in enumerate(items):
        spans[i].data = at
        spans[i].size = PyBytes_GET_SIZE(item)
        memcpy(at, PyBytes_AS_STRING(item), spans[i].size)
        at += spans[i].size
    return spans


def build_table(samples, names=None, Pool pool=None, *, bint raw=False):
    cdef list packed = [bytes(sample) for sample in samples]
    cdef list wanted = [name.encode() for name in (names or ())]
    cdef size_t n = len(packed), wanted_n = len(wanted), size = sum([len(sample) for sample in packed])
    cdef ddf_arena *arena = NULL
    pool = Pool(0) if pool is None else pool
    check(ddf_arena_new(pool.ptr, size + 1, &arena), NULL)
    owner = Arena.adopt(arena)
    cdef ddf_slice *spans = place(arena, packed)
    cdef ddf_slice *columns = NULL if names is None else place(arena, wanted)
    cdef ddf_slice region = ddf_slice(spans[0].data, size)
    cdef ddf_table *table = NULL
    cdef ddf_err err
    cdef int status
    err.msg = NULL
    with nogil:
        if raw:
            status = ddf_table_raw(arena, region, spans, n, &table)
        else:
            status = ddf_columns_build(arena, region, spans, n, columns, wanted_n, &table, &err)
    check(status, &err)
    return Table.wrap(table, owner)
