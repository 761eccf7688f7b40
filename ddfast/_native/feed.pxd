from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from ddfast._native.arena cimport ddf_arena
from ddfast._native.engine cimport Engine, ddf_engine


cdef extern from "ddf_feed.h":
    ctypedef struct ddf_feed:
        pass
    ctypedef struct ddf_feed_piece:
        size_t shard
        uint64_t position
        uint64_t length
        uint8_t *data
        ddf_arena *arena
    int ddf_feed_new(ddf_engine *engine, ddf_feed **out) nogil
    void ddf_feed_close(ddf_feed *feed) nogil
    void ddf_feed_release(ddf_feed *feed) nogil
    size_t ddf_feed_take(ddf_feed *feed, ddf_feed_piece *pieces, size_t most) nogil
    void ddf_feed_end(ddf_feed *feed, const ddf_feed_piece *piece, int status, const char *reason) nogil
    int ddf_feed_is_given_up(ddf_feed *feed, const ddf_feed_piece *piece) nogil
    int ddf_feed_fd(const ddf_feed *feed) nogil
    void ddf_feed_arm(ddf_feed *feed) nogil
    void ddf_feed_clear(ddf_feed *feed) nogil


cdef class Feed:
    cdef ddf_feed *ptr
    cdef Engine engine

    cdef int require_ours(self) except -1


cdef class Piece:
    cdef ddf_feed_piece raw
    cdef Feed feed
    cdef bint out  # taken, and not ended yet

    cdef int end_with(self, int status, const char *reason) except -1
