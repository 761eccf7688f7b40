"""Samples of a data file, found and checked without decoding them."""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdlib cimport free, malloc

import numpy as np

from ddfast._native.status cimport check

# Maximum number of samples that one call of scan_run finds.
cdef size_t ROOM = 4096

# An empty buffer has no address to take.
cdef uint8_t[1] EMPTY

FAULTS = {
    DDF_KEY_OTHER: "its 'key' is not a string",
    DDF_KEY_NONE: "it has no 'key'",
    DDF_KEY_NO_MAP: "it is not a map",
}


cdef inline const uint8_t *address(const uint8_t[::1] view) noexcept:
    return &view[0] if view.shape[0] else EMPTY


cdef ddf_scanned *room_for(size_t n) except NULL:
    cdef ddf_scanned *found = <ddf_scanned *>malloc((n + 1) * sizeof(ddf_scanned))
    if found == NULL:
        raise MemoryError(f"no memory to scan {n:,} samples")
    return found


cdef tuple handed_over(const uint8_t *p, const ddf_scanned *found, int64_t n):
    """Ends, keys and faults of the samples that were found."""
    stops = np.empty(n, np.uint64)
    cdef uint64_t[::1] out = stops
    cdef list keys = []
    cdef dict faults = {}
    cdef int64_t i
    for i in range(n):
        out[i] = found[i].stop
        if found[i].kind == DDF_KEY_TEXT:
            keys.append(PyUnicode_DecodeUTF8(<const char *>p + found[i].key_at, found[i].key_size, NULL))
        else:
            keys.append(None)
            faults[i] = FAULTS[found[i].kind]
    return stops, keys, faults


def scan_run(const uint8_t[::1] buffer, size_t most=0):
    cdef const uint8_t *p = address(buffer)
    cdef size_t size = buffer.shape[0]
    cdef size_t room = min(most, ROOM) if most else ROOM
    cdef ddf_scanned *found = room_for(room)
    cdef ddf_err err
    cdef int64_t n
    try:
        with nogil:
            n = ddf_scan_run(p, size, found, room, &err)
        return handed_over(p, found, check(n, &err))
    finally:
        free(found)


def scan_spans(const uint8_t[::1] buffer, const uint64_t[::1] bounds):
    cdef const uint8_t *p = address(buffer)
    cdef size_t size = buffer.shape[0]
    cdef size_t i, count = bounds.shape[0] - 1 if bounds.shape[0] else 0
    cdef ddf_scanned *found = room_for(count)
    cdef ddf_span *spans = NULL
    cdef ddf_err err
    cdef int64_t n
    try:
        spans = <ddf_span *>malloc((count + 1) * sizeof(ddf_span))
        if spans == NULL:
            raise MemoryError(f"no memory to scan {count:,} samples")
        for i in range(count):
            spans[i].start, spans[i].stop = bounds[i], bounds[i + 1]
        with nogil:
            n = ddf_scan_spans(p, size, spans[0].start if count else 0, spans, count, found, &err)
        return handed_over(p, found, check(n, &err))
    finally:
        free(spans)
        free(found)
