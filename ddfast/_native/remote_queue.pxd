from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.arena cimport ddf_arena
from ddfast._native.engine cimport Engine, ddf_engine


cdef extern from "ddf_remote_queue.h":
    ctypedef struct ddf_remote_queue:
        pass
    ctypedef struct ddf_remote_piece:
        size_t shard
        uint64_t position
        uint64_t length
        uint8_t *data
        ddf_arena *arena
    int ddf_remote_queue_new(ddf_engine *engine, ddf_remote_queue **out) nogil
    void ddf_remote_queue_close(ddf_remote_queue *queue) nogil
    void ddf_remote_queue_release(ddf_remote_queue *queue) nogil
    size_t ddf_remote_queue_acquire(ddf_remote_queue *queue, ddf_remote_piece *pieces, size_t most) nogil
    void ddf_remote_queue_complete(ddf_remote_queue *queue, const ddf_remote_piece *piece, int status, const char *reason) nogil
    int ddf_remote_queue_is_cancelled(ddf_remote_queue *queue, const ddf_remote_piece *piece) nogil
    int ddf_remote_queue_fd(const ddf_remote_queue *queue) nogil
    void ddf_remote_queue_arm(ddf_remote_queue *queue) nogil
    void ddf_remote_queue_clear(ddf_remote_queue *queue) nogil


cdef class RemoteQueue:
    cdef ddf_remote_queue *ptr
    cdef Engine engine

    cdef int require_ours(self) except -1


cdef class RemotePiece:
    cdef ddf_remote_piece raw
    cdef RemoteQueue queue
    cdef bint out  # taken, and not ended yet

    cdef int end_with(self, int status, const char *reason) except -1
