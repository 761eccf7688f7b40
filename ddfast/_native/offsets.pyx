"""The offset table of a data file, over memory of the caller."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from ddfast._native.arrays cimport empty
from ddfast._native.content cimport Content, ddf_content_memory
from ddfast._native.status cimport check


# What it owns refers to nothing, and __dealloc__ needs it: the collector must not clear it before.
@cython.no_gc
cdef class OffsetTable:
    def __cinit__(self, buffer, uint64_t file_size):
        cdef Py_ssize_t size
        if isinstance(buffer, Content):
            self.content = buffer
            self.table, size = ddf_content_memory(self.content.ptr), len(buffer)
        else:
            PyObject_GetBuffer(buffer, &self.buffer, PyBUF_SIMPLE)
            self.table, size = <const uint8_t *>self.buffer.buf, self.buffer.len
        if size % 8 or size == 0:
            raise ValueError(f"an offset table has at least 8 bytes and a multiple of 8, not {size:,}")
        self.entries = <uint64_t>size // 8
        self.file_size = file_size

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def __len__(self):
        return self.entries - 1

    cdef int hold(self, uint64_t first, uint64_t count) except -1:
        """Read entries of a file, those which the table has."""
        cdef uint64_t stop
        if self.content is not None and first < self.entries:
            stop = min(self.entries - first, count) + first
            self.content.hold(8 * first, 8 * (stop - first))
        return 0

    def check_ends(self):
        cdef ddf_err err
        self.hold(0, 1)
        self.hold(self.entries - 1, 1)
        check(ddf_offsets_check_ends(self.table, self.entries, self.file_size, &err), &err)

    def validate(self):
        cdef ddf_err err
        cdef int status
        self.hold(0, self.entries)
        with nogil:
            status = ddf_offsets_validate(self.table, self.entries, self.file_size, &err)
        check(status, &err)

    cdef ddf_span span_of(self, int64_t index) except *:
        cdef ddf_span span
        cdef ddf_err err
        self.hold(index, 2)
        check(ddf_offsets_spans(self.table, self.entries, &index, 1, self.file_size, &span, &err), &err)
        return span

    def span(self, int64_t index):
        cdef ddf_span span = self.span_of(index)
        return span.start, span.stop

    def spans(self, const int64_t[::1] indices not None):
        cdef size_t count = indices.shape[0]
        result = empty((count, 2), "uint64")
        cdef uint64_t[:, ::1] out = result
        cdef ddf_err err
        cdef int status
        cdef size_t i
        if self.content is not None:
            for i in range(count):
                self.hold(indices[i], 2)
        with nogil:
            status = ddf_offsets_spans(self.table, self.entries, &indices[0], count, self.file_size,
                                       <ddf_span *>&out[0, 0], &err)
        check(status, &err)
        return result

    def span_range(self, uint64_t start, uint64_t stop):
        # A stop below start is an empty range; one beyond the table is refused before anything is allocated.
        cdef size_t count = stop - start if stop > start else 0
        if stop > self.entries - 1 and count:
            raise IndexError(f"index {stop - 1:,} out of range: the dataset has {self.entries - 1:,} samples")
        result = empty((count, 2), "uint64")
        cdef uint64_t[:, ::1] out = result
        cdef ddf_err err
        cdef int status = 0
        if count:
            self.hold(start, count + 1)
            with nogil:
                status = ddf_offsets_range(self.table, self.entries, start, count, self.file_size,
                                           <ddf_span *>&out[0, 0], &err)
        check(status, &err)
        return result
