"""From pieces that go together to requests."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from transfer_doubles import Piece

from ddfast.storage.transfer.requests import requests_for
from ddfast.storage.transfer.waiting import Task

KB = 1 << 10


def task(shard, start, stop):
    return Task(Piece(shard, start, stop), start, stop)


def test_pieces_that_go_together_are_asked_for_at_once():
    (request,) = requests_for([task(0, 0, 100), task(0, 100, 200), task(0, 210, 300)], 1 << 20)
    assert request.spans == [(0, 100), (100, 200), (210, 300)]
    assert (request.size, request.scratch) == (290, 300)


def test_a_large_piece_is_cut_into_about_equal_requests():
    requests = requests_for([task(3, 1000, 1000 + 100 * KB)], 32 * KB)
    assert [request.size for request in requests] == [28 * KB, 28 * KB, 28 * KB, 16 * KB]
    assert [request.spans[0][0] for request in requests] == [1000 + at * 28 * KB for at in range(4)]
    assert {request.shard for request in requests} == {3}
    assert requests[0].tasks[0].left == 4
    assert all(request.tasks[0] is requests[0].tasks[0] for request in requests)


def test_a_piece_slightly_larger_than_a_cut_stays_whole():
    assert len(requests_for([task(0, 0, 48 * KB)], 32 * KB)) == 1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**3), st.integers(0, 10**4)), min_size=1, max_size=20),
    st.integers(1, 20).map(lambda pages: pages * 4 * KB),
)
def test_requests_fill_every_byte_of_every_piece_once(gaps_and_sizes, cut):
    tasks, at = [], 0
    for gap, size in gaps_and_sizes:
        tasks.append(task(1, at + gap, at + gap + size))
        at += gap + size
    requests = requests_for(tasks, cut)
    assert sum(task.left for task in tasks) == sum(len(request.tasks) for request in requests)
    for request in requests:
        assert request.scratch == (request.size if len(request.tasks) > 1 else 0) + _gaps(request.spans)
        for (start, stop), into in zip(request.spans, request.into, strict=True):
            assert len(into) == stop - start
            into[:] = bytes(byte + 1 for byte in into)
    assert all(task.piece == b"\1" * len(task.piece) for task in tasks)


def _gaps(spans):
    return sum(after[0] - before[1] for before, after in itertools.pairwise(spans))
