from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from ddfast._native.arena cimport Arena, ddf_arena
from ddfast._native.status cimport ddf_err, ddf_slice


cdef extern from "ddf_columns.h":
    enum:
        DDF_MAX_FIELDS
        DDF_WINDOW

    ctypedef enum ddf_column_kind:
        DDF_COLUMN_OBJECT
        DDF_COLUMN_INT64
        DDF_COLUMN_UINT64
        DDF_COLUMN_FLOAT64
        DDF_COLUMN_BOOL
        DDF_COLUMN_COMPLEX
        DDF_COLUMN_STR
        DDF_COLUMN_BYTES
        DDF_COLUMN_STACKED
        DDF_COLUMN_VIEWS

    ctypedef struct ddf_view:
        int32_t len

    ctypedef struct ddf_column:
        ddf_slice name
        ddf_column_kind kind
        uint32_t ndim
        ddf_slice dtype
        uint64_t item_size
        const uint64_t *shape
        void *data
        const uint8_t **at

    ctypedef struct ddf_table:
        const ddf_slice *samples
        size_t n
        ddf_slice region
        ddf_column *columns
        size_t columns_n
        uint64_t nbytes
        int selected
        int raw
        int crowded
        int odd_names
        int reserved

    int ddf_columns_build(
        ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, const ddf_slice *names,
        size_t names_n, ddf_table **out, ddf_err *err) nogil
    int ddf_table_raw(
        ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, ddf_table **out) nogil
    int ddf_table_ends(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint64_t *ends) nogil
    void ddf_table_join(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint8_t *out) nogil
    ddf_slice ddf_column_value(const ddf_table *table, const ddf_column *column, size_t i) nogil
    ddf_slice ddf_column_bytes(const ddf_table *table, const ddf_column *column, size_t i) nogil
    void ddf_column_ends(const ddf_column *column, size_t first, ptrdiff_t step, size_t n, uint64_t *ends) nogil
    void ddf_column_join(
        const ddf_table *table, const ddf_column *column, size_t first, ptrdiff_t step, size_t n, uint8_t *out) nogil
    uint32_t ddf_dtype_size(const uint8_t *type, size_t len) nogil


cdef class Table:
    cdef ddf_table *ptr
    cdef readonly Arena arena

    # A table in the memory of `arena`.
    @staticmethod
    cdef Table wrap(ddf_table *table, Arena arena)


cdef class Column:
    cdef readonly Table table
    cdef ddf_column *ptr
    cdef Py_ssize_t start, step, n

    cdef object item(self, size_t row)


cdef class StrColumn(Column):
    pass


cdef class BytesColumn(Column):
    pass


cdef class ViewsColumn(Column):
    pass


cdef class ObjectColumn(Column):
    cdef object decode  # row -> value
    cdef list values  # of all rows of the table, UNSET where not decoded yet
