"""The data files of one dataset, open or not."""

import os

from libc.errno cimport EINVAL
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free

from ddfast._native.content cimport Content, ddf_content
from ddfast._native.offsets cimport OffsetTable
from ddfast._native.status cimport check
from ddfast._native.xxh3 cimport ChecksumTable

from ddfast.errors import KernelError


cdef class Shards:
    def __cinit__(self, list specs not None, size_t max_open=0):
        cdef size_t n = len(specs), i
        cdef ddf_shard_spec *raw = <ddf_shard_spec *>calloc(n + 1, sizeof(ddf_shard_spec))
        cdef int status
        if raw == NULL:
            raise MemoryError
        try:
            self.held = held = [as_held(spec) for spec in specs]
            for i in range(n):
                fill(&raw[i], held[i])
            with nogil:
                status = ddf_shards_new(raw, n, max_open, &self.ptr)
            if status < -10000:
                raise KernelError(status, f"{n:,} shards are too many or too large to be addressed")
            if status == -EINVAL:
                raise ValueError("shards must be all remote, with tables in memory, or all local")
            check(status, NULL)
        finally:
            free(raw)

    @staticmethod
    def one(File file not None, OffsetTable offsets not None, ChecksumTable sums=None):
        cdef Shards self = Shards.__new__(Shards, [])
        ddf_shards_release(self.ptr)
        self.ptr = NULL
        cdef ddf_shard_table table, sums_table
        table.memory, table.content = offsets.table, content_of(offsets.content)
        sums_table.memory = sums_of(sums, len(offsets))
        sums_table.content = NULL if sums is None else content_of(sums.content)
        self.held, self.is_one = (offsets, sums), True
        check(ddf_shards_of(file.ptr, table, offsets.entries, sums_table, &self.ptr), NULL)
        return self

    def __dealloc__(self):
        with nogil:
            ddf_shards_release(self.ptr)

    @property
    def open(self):
        return ddf_shards_open(self.ptr)

    cdef ddf_found find(self, int64_t index) except *:
        cdef ddf_found found
        cdef ddf_err err
        cdef int status
        if self.is_one and not ddf_shards_may_wait(self.ptr):
            status = ddf_shards_find(self.ptr, index, &found, &err)
        else:
            with nogil:
                status = ddf_shards_find(self.ptr, index, &found, &err)
        check(status, &err)
        return found


cdef tuple as_held(tuple spec):
    """The values of a shard in the form that the kernel borrows."""
    path, offsets, samples, size, modified, sums = spec
    if not isinstance(offsets, OffsetTable):
        offsets, sums = os.fsencode(offsets), None if sums is None else os.fsencode(sums)
    return None if path is None else os.fsencode(path), offsets, samples, size, modified, sums


cdef int fill(ddf_shard_spec *out, tuple held) except -1:
    path, offsets, out.samples, out.stamp.size, out.stamp.modified, sums = held
    if path is not None:
        out.path = <const char *>path
    if isinstance(offsets, OffsetTable):
        (<OffsetTable>offsets).hold(0, (<OffsetTable>offsets).entries)
        out.offsets = (<OffsetTable>offsets).table
        if (<OffsetTable>offsets).entries != out.samples + 1:
            raise ValueError(f"the offset table has {len(offsets):,} samples, not {out.samples:,}")
        hold_sums(sums)
        out.sums = sums_of(sums, out.samples)
    else:
        out.offsets_path = <const char *>offsets
        if sums is not None:
            out.sums_path = <const char *>sums
    return 0


cdef int hold_sums(ChecksumTable table) except -1:
    """Read the whole file of a table, which may be None."""
    if table is not None and table.content is not None:
        table.content.hold(0, 8 * table.count)
    return 0


cdef ddf_content *content_of(Content content) noexcept:
    return NULL if content is None else content.ptr


cdef const uint8_t *sums_of(ChecksumTable table, uint64_t samples) except? NULL:
    """The memory of a table, which may be None."""
    if table is None:
        return NULL
    if <uint64_t>len(table) != samples:
        raise ValueError(f"the checksum table has {len(table):,} samples, not {samples:,}")
    return table.table
