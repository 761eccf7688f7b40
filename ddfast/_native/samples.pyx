"""Single samples and short runs of them, read directly from the file to Python objects."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ddfast._native.file cimport DDF_SCATTERED, ddf_file_read_ready, ddf_file_view, ddf_room, read_into, read_parts
from ddfast._native.offsets cimport ddf_span
from ddfast._native.shards cimport ddf_found_span, ddf_found_sum, ddf_shards_release_file
from ddfast._native.status cimport check, ddf_err, ddf_slice
from ddfast._native.xxh3 cimport ddf_xxh3_check

from ddfast.errors import KernelError

# Size of the buffer that is kept between calls; a larger sample gets a buffer for the time of the call.
cdef size_t KEEP_MAX = 4 << 20

# Reads land congruent to their file offset modulo this, see ddf_plan.h.
cdef size_t ALIGN = 64


# From this size on, the long binary of a sample is read directly into its bytes object.
cdef size_t LAND_MIN = 32 << 10

# Hashing less than this takes no longer than releasing and acquiring the GIL.
cdef size_t HASH_MIN = 4 << 10

# Longest run of samples read at once.
cdef int64_t FIT_MAX = 4096


cdef class Samples:
    def __cinit__(self, Shards shards not None, Decoder decoder not None):
        self.shards, self.decoder = shards, decoder
        ddf_sys_reuse_freed(KEEP_MAX)

    def __dealloc__(self):
        free(self.scratch)

    cdef uint8_t *take(self, size_t size) except NULL:
        """Memory for one read: the scratch, unless another thread is reading into it."""
        cdef uint8_t *memory
        cdef size_t room
        if self.scratch_taken or size > KEEP_MAX:
            memory = <uint8_t *>malloc(size + 1)
        else:
            if size > self.scratch_size:
                room = min(KEEP_MAX, size + size // 2 + 4096)
                free(self.scratch)
                self.scratch = <uint8_t *>malloc(room)
                self.scratch_size = room if self.scratch != NULL else 0
            memory = self.scratch
            self.scratch_taken = memory != NULL
        if memory == NULL:
            raise MemoryError(f"no memory to read {size:,} bytes")
        return memory

    cdef void give(self, uint8_t *memory) noexcept:
        if memory == self.scratch:
            self.scratch_taken = False
        else:
            free(memory)

    def get(self, Py_ssize_t index):  # which refuses floats
        cdef ddf_found found = self.shards.find(index)
        try:
            return self.decode_at(&found, index)
        finally:
            ddf_shards_release_file(self.shards.ptr, found.file)

    cdef object decode_at(self, const ddf_found *found, int64_t index):
        """The sample, read and checked."""
        cdef ddf_span span = found.span
        cdef size_t size = span.stop - span.start, shift = span.start % ALIGN, payload = 0
        cdef const uint8_t *view = ddf_file_view(found.file, size, span.start)
        if view != NULL:
            verify(found, index, view, size)
            return self.decoder.decode(view, size)
        cdef uint8_t *memory = self.take(size + shift + ALIGN)
        cdef uint8_t *at = aligned(memory) + shift
        try:
            if size >= LAND_MIN and self.before + self.behind + LAND_MIN // 2 <= size and self.before:
                return self.land(found, index, at)
            read_into(found.file, at, size, span.start)
            verify(found, index, at, size)
            if size >= LAND_MIN and ddf_payload_find(at, size, &self.before, &payload):
                self.behind = size - self.before - payload
            return self.decoder.decode(at, size)
        finally:
            self.give(memory)

    cdef object land(self, const ddf_found *found, int64_t index, uint8_t *at):
        """Read a large sample with its long binary directly in a bytes object, if its position is that of the last one."""
        cdef ddf_span span = found.span
        cdef size_t size = span.stop - span.start, payload = size - self.before - self.behind
        cdef ddf_room[3] parts
        cdef ddf_slice[3] places
        landed = PyBytes_FromStringAndSize(NULL, payload)
        parts[0].data, parts[0].size = at, self.before
        parts[1].data, parts[1].size = PyBytes_AS_STRING(landed), payload
        parts[2].data, parts[2].size = at + self.before + payload, self.behind
        read_parts(found.file, parts, span.start)
        for i in range(3):
            places[i].data, places[i].size = <const uint8_t *>parts[i].data, parts[i].size
        verify_places(found, index, places, 3, size)
        cdef size_t before = <uint8_t *>parts[2].data - at - payload
        if ddf_payload_matches(at, size, before, payload):
            return self.decoder.decode_landed(at, size, landed, at + before)
        memcpy(at + before, PyBytes_AS_STRING(landed), payload)
        self.before = 0
        return self.decoder.decode(at, size)

    def raw(self, Py_ssize_t index):
        cdef ddf_found found = self.shards.find(index)
        cdef size_t size = found.span.stop - found.span.start
        try:
            data = PyBytes_FromStringAndSize(NULL, size)
            read_into(found.file, <uint8_t *>PyBytes_AS_STRING(data), size, found.span.start)
            verify(&found, index, <const uint8_t *>PyBytes_AS_STRING(data), size)
            return data
        finally:
            ddf_shards_release_file(self.shards.ptr, found.file)

    def is_ready(self, Py_ssize_t index):
        cdef ddf_found found = self.shards.find(index)
        cdef ddf_span span = found.span
        cdef uint8_t byte
        try:
            return span.stop <= span.start or ddf_file_read_ready(found.file, DDF_SCATTERED, &byte, 1, span.stop - 1) == 1
        finally:
            ddf_shards_release_file(self.shards.ptr, found.file)

    def fit(self, int64_t start, int64_t stop, uint64_t size):
        cdef ddf_found found = self.shards.find(start)
        cdef int64_t low = start + 1, high = min(stop, start + FIT_MAX, found.stop), middle
        cdef ddf_span span
        cdef ddf_err err
        if found.span.stop - found.span.start >= size:
            high = low
        while low < high:
            middle = low + (high - low + 1) // 2
            # Damage is reported when the damaged sample is due.
            if ddf_found_span(&found, middle - 1, &span, &err) == 0 and span.stop - found.span.start <= size:
                low = middle
            else:
                high = middle - 1
        ddf_shards_release_file(self.shards.ptr, found.file)
        return low

    def decode_range(self, int64_t start, int64_t stop):
        cdef ddf_found found = self.shards.find(start)
        try:
            if stop == start + 1:
                return [self.decode_at(&found, start)]
            return self.decode_run(&found, start, min(stop, found.stop))
        finally:
            ddf_shards_release_file(self.shards.ptr, found.file)

    cdef list decode_run(self, const ddf_found *found, int64_t start, int64_t stop):
        cdef int64_t i
        cdef ddf_span span = found.span, last = span_of(found, stop - 1)
        cdef uint64_t base = span.start, end = last.stop
        cdef size_t size = end - base if end > base else 0, shift = base % ALIGN
        cdef uint8_t *memory = self.take(size + shift + ALIGN)
        cdef uint8_t *at = aligned(memory) + shift
        cdef list samples = []
        try:
            read_into(found.file, at, size, base)
            for i in range(start, stop):
                span = span_of(found, i)
                if span.start < base or span.stop > end:
                    raise damaged_span(i)
                verify(found, i, at + (span.start - base), span.stop - span.start)
                samples.append(self.decoder.decode(at + (span.start - base), span.stop - span.start))
        except ValueError:
            if not samples:
                raise
        finally:
            self.give(memory)
        return samples

    def raw_range(self, int64_t start, int64_t stop, bint copy=True):
        cdef ddf_found found = self.shards.find(start)
        try:
            return self.raw_run(&found, start, min(stop, found.stop), copy)
        finally:
            ddf_shards_release_file(self.shards.ptr, found.file)

    cdef list raw_run(self, const ddf_found *found, int64_t start, int64_t stop, bint copy):
        cdef ddf_span span, last = span_of(found, stop - 1)
        cdef uint64_t base = found.span.start, end = last.stop
        cdef size_t size = end - base if end > base else 0
        cdef list samples = []
        cdef int64_t i
        data = PyBytes_FromStringAndSize(NULL, size)
        cdef uint8_t *at = <uint8_t *>PyBytes_AS_STRING(data)
        read_into(found.file, at, size, base)
        whole = data if copy else memoryview(data)
        try:
            for i in range(start, stop):
                span = span_of(found, i)
                if span.start < base or span.stop > end:
                    raise damaged_span(i)
                verify(found, i, at + (span.start - base), span.stop - span.start)
                samples.append(whole[span.start - base:span.stop - base])
        except ValueError:
            if not samples:
                raise
        return samples


cdef int verify(const ddf_found *found, int64_t index, const uint8_t *at, size_t size) except -1:
    """Compare a sample with its checksum, if it has one."""
    cdef ddf_slice place
    if found.sums != NULL:
        place.data, place.size = at, size
        verify_places(found, index, &place, 1, size)
    return 0


cdef int verify_places(const ddf_found *found, int64_t index, const ddf_slice *places, size_t n, size_t size) except -1:
    cdef ddf_err err
    cdef int status
    cdef uint64_t sum
    if found.sums == NULL:
        return 0
    sum = ddf_found_sum(found, index)
    if size < HASH_MIN:
        status = ddf_xxh3_check(places, n, sum, &err)
    else:
        with nogil:
            status = ddf_xxh3_check(places, n, sum, &err)
    check(status, &err)
    return 0


cdef ddf_span span_of(const ddf_found *found, int64_t index) except *:
    cdef ddf_span span
    cdef ddf_err err
    check(ddf_found_span(found, index, &span, &err), &err)
    return span


cdef uint8_t *aligned(uint8_t *memory) noexcept:
    return <uint8_t *>((<size_t>memory + ALIGN - 1) // ALIGN * ALIGN)


cdef damaged_span(int64_t index):
    from ddfast._native.status import E_SPAN
    return KernelError(E_SPAN, "the offset table is out of order", 0, index * 8)
