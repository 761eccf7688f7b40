"""Columns as the text of JSON records."""

from json import dumps

from libc.errno cimport ENOMEM
from libc.stdlib cimport calloc, free

import numpy as np

from ddfast._native.json_reader cimport taken, DDF_JSON_SEGMENTS, DDF_JSON_STRING
from ddfast._native.json_reader import DTYPES, KINDS, JSONColumn


def json_column(str kind, values, *, offsets=None, parts=None, states=None):
    if states is None:
        rows = len(values) if offsets is None else len(offsets) - 1
        states = np.ones(rows, np.uint8)
    nothing = np.empty(0, np.int32)
    return JSONColumn(kind, states, values, offsets, parts, nothing, np.zeros(1, np.int32), np.empty(0, np.uint8))


cdef class JSONRecords:
    def __init__(
        self, columns, rows, *, extra=None, bint nulls=False, bint short=False, bytes between=b",\n",
        chunk_bytes=1 << 22,
    ):
        if self.fields != NULL:
            raise RuntimeError("JSONRecords are initialised once")
        if not 1 <= chunk_bytes <= 1 << 30:
            raise ValueError(f"chunk_bytes must be between 1 and {1 << 30:,}, not {chunk_bytes:,}")
        self.names, self.borrowed = [], []
        self.rows = rows
        self.options.missing_is_null, self.options.is_short = nulls, short
        self.options.chunk_bytes = chunk_bytes
        self.options.between = self.borrow(between)
        self.fields = <ddf_json_field *>calloc(len(columns) + 1, sizeof(ddf_json_field))
        if self.fields == NULL:
            raise MemoryError(f"no memory for {len(columns):,} columns")
        for name, column in columns.items():
            self.names.append(name)
            self.fields[self.n_fields].name = self.borrow(dumps(name, ensure_ascii=False).encode() + b":")
            self.set_up(&self.fields[self.n_fields], name, column)
            self.n_fields += 1
        if extra is not None:
            if extra.kind != "raw":
                raise ValueError(f"extra must be a column of kind 'raw', not {extra.kind!r}")
            self.names.append("extra")
            self.set_up(&self.fields[self.n_fields], "extra", extra)
            self.n_fields += 1

    def __dealloc__(self):
        free(self.fields)
        ddf_json_buffer_free(&self.out)

    def __iter__(self):
        return self

    def __next__(self):
        if self.is_busy:
            raise RuntimeError("another thread is writing these JSONRecords")
        if self.row == self.rows:
            raise StopIteration
        cdef ddf_err err
        cdef int64_t row
        self.is_busy = True
        self.out.size = 0
        with nogil:
            row = ddf_json_write(
                self.fields, self.n_fields, self.row, self.rows, &self.options, &self.out, &err)
        self.is_busy = False
        if row == -ENOMEM:
            raise MemoryError(err.msg.decode())
        if row < 0:
            raise ValueError(f"field {self.names[err.item]!r}, row {err.pos:,}: {err.msg.decode()}")
        self.row = row
        return <bytes>self.out.data[:self.out.size]

    # Bytes that live as long as this object.
    cdef ddf_slice borrow(self, bytes text):
        cdef ddf_slice result
        self.borrowed.append(text)
        result.data = <const uint8_t *><const char *>text
        result.size = len(text)
        return result

    # The items of an array, of a given type, that lives as long as this object: at least so many.
    cdef const void *array(self, object values, object dtype, uint64_t least, str what, uint64_t *size) except NULL:
        if isinstance(values, bytes):
            values = np.frombuffer(values, np.uint8)
        found = np.ascontiguousarray(values).astype(dtype, casting="safe", copy=False).view(
            np.uint8 if dtype is np.bool_ else dtype)
        if found.ndim != 1 or len(found) < least:
            raise ValueError(f"{what} must have at least {least:,} items in one dimension, not shape {found.shape}")
        size[0] = len(found)
        if not len(found):
            found = np.zeros(1, found.dtype)
        self.borrowed.append(found)
        cdef const uint8_t[::1] view = found.view(np.uint8)
        return &view[0]

    cdef int set_up(self, ddf_json_field *field, str name, object column) except -1:
        cdef uint64_t size = 0
        if isinstance(column, bytes):
            field.literal = self.borrow(column)
            return 0
        kind, states, values, offsets, parts, other_rows, other_offsets, other = column
        if kind not in KINDS:
            raise ValueError(f"field {name!r}: {kind!r} is not one of {', '.join(KINDS)}")
        what = f"field {name!r}: "
        field.kind = KINDS[kind]
        field.states = <const uint8_t *>self.array(states, np.uint8, self.rows, what + "states", &size)
        field.values = self.array(values, DTYPES.get(kind, np.float64), 0, what + "values", &field.n_values)
        if field.kind >= DDF_JSON_STRING:
            field.offsets = <const int64_t *>self.array(offsets, np.int64, self.rows + 1, what + "offsets", &size)
        if field.kind == DDF_JSON_SEGMENTS:
            field.parts = <const int64_t *>self.array(parts, np.int64, 1, what + "parts", &field.n_parts)
        field.other_rows = <const int32_t *>self.array(
            other_rows, np.int32, 0, what + "other_rows", &field.n_other_rows)
        field.other_offsets = <const int64_t *>self.array(
            other_offsets, np.int64, field.n_other_rows + 1, what + "other_offsets", &size)
        field.other = <const uint8_t *>self.array(other, np.uint8, 0, what + "other", &field.n_other)
        return 0


def format_numbers(values, *, bint short=False):
    cdef const double[::1] view = np.ascontiguousarray(values, np.float64)
    cdef size_t n = view.shape[0]
    offsets = np.empty(n + 1, np.int64)
    cdef int64_t[::1] ends = offsets
    cdef ddf_json_buffer out
    cdef int status
    out.data, out.size, out.room, out.hint = NULL, 0, 0, 8 * n
    with nogil:
        status = ddf_json_write_numbers(&view[0] if n else NULL, n, short, &ends[0], &out)
    if status < 0:
        ddf_json_buffer_free(&out)
        raise MemoryError(f"no memory for the text of {n:,} numbers")
    return taken(&out, np.uint8), offsets
