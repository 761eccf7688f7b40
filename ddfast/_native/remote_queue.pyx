"""Pieces of remote shards, for a reader outside the engine."""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.errno cimport EIO

from ddfast._native.arena cimport ddf_arena_release
from ddfast._native.status cimport check

from ddfast.errors import ClosedError

# Characters of a reason that are kept: more than messages have.
cdef Py_ssize_t REASON_MAX = 1000


# What these two own refers to nothing, and __dealloc__ needs all of it: the collector must not clear it before.
@cython.no_gc
cdef class RemoteQueue:
    def __cinit__(self, Engine engine not None):
        self.engine = engine
        self.require_ours()
        check(ddf_remote_queue_new(engine.ptr, &self.ptr), NULL)

    def __dealloc__(self):
        if self.ptr != NULL and self.engine.is_ours():
            ddf_remote_queue_release(self.ptr)

    cdef int require_ours(self) except -1:
        if not self.engine.is_ours():
            raise ClosedError("a remote queue and its pieces cannot be used after a fork")
        return 0

    def fileno(self):
        return ddf_remote_queue_fd(self.ptr)

    @property
    def fd(self):
        return self.fileno()

    def arm(self):
        ddf_remote_queue_arm(self.ptr)

    def clear(self):
        ddf_remote_queue_clear(self.ptr)

    def take(self, Py_ssize_t limit):
        cdef RemotePiece piece
        cdef list pieces = []
        self.require_ours()
        while len(pieces) < limit:
            piece = RemotePiece.__new__(RemotePiece)  # before anything is taken, so that nothing is lost
            piece.queue = self
            piece.out = ddf_remote_queue_acquire(self.ptr, &piece.raw, 1) == 1
            if not piece.out:
                break
            pieces.append(piece)
        return pieces

    def close(self):
        if self.engine.is_ours():
            with nogil:
                ddf_remote_queue_close(self.ptr)


@cython.no_gc
cdef class RemotePiece:
    def __init__(self):
        raise TypeError("pieces can only be taken from a RemoteQueue")

    def __dealloc__(self):
        if self.out and self.queue.engine.is_ours():
            ddf_remote_queue_complete(self.queue.ptr, &self.raw, -EIO, "the reader of remote data did not complete the read")
        ddf_arena_release(self.raw.arena)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        if not self.out:
            raise BufferError("the piece is ended; its memory has other users")
        PyBuffer_FillInfo(buffer, self, self.raw.data, self.raw.length, 0, flags)

    def __len__(self):
        return self.raw.length

    @property
    def shard(self):
        return self.raw.shard

    @property
    def start(self):
        return self.raw.position

    @property
    def stop(self):
        return self.raw.position + self.raw.length

    @property
    def ended(self):
        return not self.out

    @property
    def cancelled(self):
        return not self.out or not self.queue.engine.is_ours() or ddf_remote_queue_is_cancelled(self.queue.ptr, &self.raw) != 0

    def end(self):
        self.end_with(0, NULL)

    def fail(self, int code, str reason not None):
        if code == 0:
            raise ValueError("code must not be 0")
        text = reason[:REASON_MAX].encode("utf-8", "replace").replace(b"\0", b"")
        self.end_with(-code if code > 0 else code, text)

    cdef int end_with(self, int status, const char *reason) except -1:
        self.queue.require_ours()
        if not self.out:
            raise RuntimeError("the piece is ended already")
        self.out = False
        with nogil:
            ddf_remote_queue_complete(self.queue.ptr, &self.raw, status, reason)
        return 0
