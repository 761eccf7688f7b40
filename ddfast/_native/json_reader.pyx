"""Arrays of records in JSON files, as columns."""

from collections import namedtuple
from json import loads

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport ENOMEM
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

from ddfast._native.status cimport check
from ddfast._native.status cimport DDF_E_LIMIT

from ddfast.errors import JSONFormatError

KINDS = {
    "int": DDF_JSON_INT,
    "number": DDF_JSON_NUMBER,
    "bool": DDF_JSON_BOOL,
    "string": DDF_JSON_STRING,
    "numbers": DDF_JSON_NUMBERS,
    "segments": DDF_JSON_SEGMENTS,
    "raw": DDF_JSON_RAW,
}

MISSING, PRESENT, NULL_VALUE, OTHER, FLAT = (
    DDF_JSON_MISSING, DDF_JSON_PRESENT, DDF_JSON_NULL, DDF_JSON_OTHER, DDF_JSON_FLAT)

DTYPES = {"int": np.int64, "bool": np.bool_, "string": np.uint8, "raw": np.uint8}

JSONColumn = namedtuple(
    "JSONColumn", ["kind", "states", "values", "offsets", "parts", "other_rows", "other_offsets", "other"])
JSONTable = namedtuple("JSONTable", ["name", "first", "rows", "columns", "extra"])

cdef enum:
    # Offsets in columns are 32 bits wide.
    MAX_RECORD = 1 << 30
    MAX_CHUNK = 1 << 29
    MAX_COLUMNS = 4096


cdef class KernelMemory:
    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.data, self.size, False, flags)

    def __dealloc__(self):
        free(self.data)


cdef object taken(ddf_json_buffer *buffer, object dtype):
    cdef KernelMemory memory = KernelMemory.__new__(KernelMemory)
    memory.size = buffer.size
    memory.data = ddf_json_release(buffer)
    return np.frombuffer(memory, dtype) if memory.size else np.empty(0, dtype)


cdef object column_of(ddf_json_column *column, str kind):
    cdef bint has_offsets = column.kind >= DDF_JSON_STRING
    return JSONColumn(
        kind,
        taken(&column.states, np.uint8),
        taken(&column.values, DTYPES.get(kind, np.float64)),
        taken(&column.offsets, np.int32) if has_offsets else None,
        taken(&column.parts, np.int32) if column.kind == DDF_JSON_SEGMENTS else None,
        taken(&column.other_rows, np.int32),
        taken(&column.other_offsets, np.int32) if column.other_offsets.size else np.zeros(1, np.int32),
        taken(&column.other, np.uint8),
    )


cdef size_t within(str name, object value, object most) except? 0:
    if not 1 <= value <= most:
        raise ValueError(f"{name} must be between 1 and {most:,}, not {value:,}")
    return value


cdef class JSONReader:
    def __cinit__(self):
        self.descriptor, self.is_done = -1, True

    def __init__(
        self, source, schemas, *, bint extra=False, name=None, window_bytes=1 << 20, max_record_bytes=1 << 28,
        chunk_records=1 << 16, chunk_bytes=1 << 24, max_rest_bytes=1 << 24,
    ):
        if self.arrays != NULL:
            raise RuntimeError("a JSONReader is initialised once")
        self.options.window = within("window_bytes", window_bytes, MAX_RECORD)
        self.options.max_record = within("max_record_bytes", max_record_bytes, MAX_RECORD)
        self.options.chunk_records = within("chunk_records", chunk_records, MAX_CHUNK)
        self.options.chunk_bytes = within("chunk_bytes", chunk_bytes, MAX_CHUNK)
        self.options.max_rest = within("max_rest_bytes", max_rest_bytes, MAX_RECORD)
        self.rest, self.skipped = {}, {}
        self.label = name
        if isinstance(source, int):
            self.descriptor = source
        else:
            self.open_source(source)
        self.set_up(schemas, extra)
        self.json = ddf_json_new(self.arrays, self.n_arrays, &self.options)
        if self.json == NULL:
            raise MemoryError(f"no memory for a window of {window_bytes:,} bytes")
        self.is_done = False

    def __dealloc__(self):
        cdef size_t i
        ddf_json_free(self.json)
        for i in range(self.n_arrays):
            ddf_json_array_free(&self.arrays[i])
            free(self.arrays[i].columns)
        free(self.arrays)

    def __iter__(self):
        return self

    def __next__(self):
        if self.is_busy:
            raise RuntimeError("another thread is reading from this JSONReader")
        if self.is_done:
            raise StopIteration
        self.is_busy = True
        try:
            if self.advance() == DDF_JSON_CHUNK:
                return self.table()
            self.is_done = True
        except BaseException:
            self.is_done = True
            raise
        finally:
            self.is_busy = False
        raise StopIteration

    # A buffer, or else what can be read from.
    cdef int open_source(self, object source) except -1:
        try:
            view = memoryview(source)
        except TypeError:
            if not hasattr(source, "read"):
                raise TypeError(
                    "a source is bytes-like, a descriptor, or an object with a method `read`, "
                    f"not {type(source).__name__}") from None
            self.read = source.read
        else:
            self.view = view.cast("B")
        return 0

    cdef int set_up(self, object schemas, bint extra) except -1:
        cdef ddf_json_array *arrays = <ddf_json_array *>calloc(len(schemas) + 1, sizeof(ddf_json_array))
        if arrays == NULL:
            raise MemoryError(f"no memory for {len(schemas):,} schemas")
        self.arrays = arrays
        self.names, self.kinds = [], {}
        for name, fields in schemas.items():
            self.kinds[name] = dict(fields)
            self.n_arrays += 1
            self.set_up_array(&arrays[self.n_arrays - 1], name, self.kinds[name], extra)
        return 0

    cdef int set_up_array(self, ddf_json_array *array, str name, object fields, bint extra) except -1:
        if len(fields) > MAX_COLUMNS:
            raise ValueError(f"a schema has {len(fields):,} fields; the maximum is {MAX_COLUMNS:,}")
        cdef ddf_json_column *columns = <ddf_json_column *>calloc(len(fields) + 1, sizeof(ddf_json_column))
        if columns == NULL:
            raise MemoryError(f"no memory for {len(fields):,} columns")
        array.columns = columns
        array.name = self.borrow(name, &array.name_size)
        array.has_extra = extra
        array.extra.kind = DDF_JSON_RAW
        for field, kind in fields.items():
            if kind not in KINDS:
                raise ValueError(f"field {field!r} of {name!r}: {kind!r} is not one of {', '.join(KINDS)}")
            columns[array.n_columns].kind = KINDS[kind]
            columns[array.n_columns].name = self.borrow(field, &columns[array.n_columns].name_size)
            array.n_columns += 1
        return 0

    # The UTF-8 of a name, which lives as long as the reader.
    cdef const uint8_t *borrow(self, str name, size_t *size) except NULL:
        cdef bytes data = name.encode()
        self.names.append(data)
        size[0] = len(data)
        return <const uint8_t *><const char *>data

    # Read until a chunk, or the document, is complete.
    cdef int advance(self) except -1:
        cdef ddf_err err
        cdef int event
        while True:
            with nogil:
                event = ddf_json_run(self.json, &err)
            if event < 0:
                raise self.failure(&err)
            if event == DDF_JSON_FEED:
                self.feed()
            elif event == DDF_JSON_MEMBER:
                self.note_member()
            else:
                return event

    # Fill the room of the window.
    cdef int feed(self) except -1:
        cdef size_t size = 0, filled = 0
        cdef int64_t got = 0
        cdef ddf_err err
        cdef uint8_t *room
        PyErr_CheckSignals()
        with nogil:
            room = ddf_json_room(self.json, &size, &err)
        if room == NULL:
            raise self.failure(&err)
        while filled < size:
            got = self.fill(room + filled, size - filled)
            filled += <size_t>got
            if got == 0:
                ddf_json_end(self.json)
                break
        ddf_json_fed(self.json, filled)
        return 0

    # Read at most `size` bytes; 0 at the end.
    cdef int64_t fill(self, uint8_t *room, size_t size) except -1:
        cdef int64_t got
        cdef const uint8_t[::1] data
        if self.descriptor >= 0:
            with nogil:
                got = ddf_sys_read(self.descriptor, room, size, self.offset)
            check(got, NULL)
        elif self.read is not None:
            data = self.read(size)
            got = data.shape[0]
            if <size_t>got > size:
                raise ValueError(f"read({size}) of the source returned {got:,} bytes")
            if got:
                memcpy(room, &data[0], <size_t>got)
        else:
            got = min(<int64_t>size, self.view.shape[0] - <int64_t>self.offset)
            if got:
                memcpy(room, &self.view[self.offset], <size_t>got)
        self.offset += <uint64_t>got
        return got

    cdef int note_member(self) except -1:
        cdef ddf_json_rest member
        ddf_json_member(self.json, &member)
        name = loads(<bytes>member.name.data[:member.name.size])
        self.rest.pop(name, None)
        self.skipped.pop(name, None)
        if member.text.data == NULL:
            self.skipped[name] = (member.start, member.size)
        else:
            self.rest[name] = <bytes>member.text.data[:member.text.size]
        return 0

    cdef object table(self):
        cdef ddf_json_array *array = ddf_json_chunk(self.json)
        cdef ddf_json_column *columns = array.columns
        cdef size_t i = 0
        cdef str name = (<bytes>array.name[:array.name_size]).decode()
        cdef dict found = {}
        for field, kind in self.kinds[name].items():
            found[field] = column_of(&columns[i], kind)
            i += 1
        extra = column_of(&array.extra, "raw") if array.has_extra else None
        return JSONTable(name, array.first, array.rows, found, extra)

    cdef object failure(self, const ddf_err *err):
        cdef uint64_t line = 0, column = 0
        cdef ddf_json_array *array = ddf_json_chunk(self.json)
        reason = err.msg.decode()
        if err.code == -ENOMEM:
            return MemoryError(reason)
        if err.code == DDF_E_LIMIT:
            reason += f": max_record_bytes is {self.options.max_record:,}"
        ddf_json_place(self.json, err.pos, &line, &column)
        if array == NULL:
            return JSONFormatError(reason, line, column, err.pos, file=self.label)
        name = (<bytes>array.name[:array.name_size]).decode()
        return JSONFormatError(reason, line, column, err.pos, name, array.first + array.rows, file=self.label)
