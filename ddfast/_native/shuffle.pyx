"""Shuffling with the words of Python's random generator."""

import numpy as np

from ddfast._native.status cimport check


cdef ddf_words words_of(const uint32_t[::1] words):
    cdef ddf_words found
    found.at, found.n = NULL, words.shape[0]
    if found.n:
        found.at = &words[0]
    return found


def below(const uint32_t[::1] words not None, uint32_t bound, uint32_t[::1] out not None):
    cdef ddf_words left = words_of(words)
    cdef size_t count = out.shape[0], done = 0
    if bound == 0:
        raise ValueError("bound must be at least 1")
    if count:
        with nogil:
            done = ddf_shuffle_below(&left, bound, &out[0], count)
    return done, words.shape[0] - left.n


def shuffle(const uint32_t[::1] words not None, int64_t[::1] items not None, size_t left):
    cdef ddf_words unused = words_of(words)
    if left > <size_t>items.shape[0] or <uint64_t>left > <uint64_t>0xffffffff:
        raise ValueError(f"left is {left:,}, not at most the number of items ({items.shape[0]:,}) and below 2**32")
    if left:
        with nogil:
            left = ddf_shuffle_items(&unused, &items[0], left)
    return left, words.shape[0] - unused.n


def exchange(int64_t[::1] buffer not None, const int64_t[::1] incoming not None, const uint32_t[::1] draws not None):
    cdef size_t count = draws.shape[0]
    if <size_t>incoming.shape[0] != count:
        raise ValueError(f"the number of incoming items ({incoming.shape[0]:,}) must equal the number of draws ({count:,})")
    outgoing = np.empty(count, np.int64)
    cdef int64_t[::1] out = outgoing
    cdef ddf_err err
    cdef int status = 0
    cdef int64_t *places = NULL
    if buffer.shape[0]:
        places = &buffer[0]
    if count:
        with nogil:
            status = ddf_shuffle_exchange(places, buffer.shape[0], &draws[0], count, &incoming[0], &out[0], &err)
    check(status, &err)
    return outgoing


def exchange_objects(list buffer not None, list items not None, const uint32_t[::1] draws not None):
    cdef Py_ssize_t places = len(buffer), i
    if len(items) != draws.shape[0]:
        raise ValueError(f"the number of items ({len(items):,}) must equal the number of draws ({draws.shape[0]:,})")
    for i in range(len(items)):
        if draws[i] >= places:
            raise IndexError(f"draw {draws[i]:,} out of range: the buffer has {places:,} places")
        items[i], buffer[draws[i]] = buffer[draws[i]], items[i]
