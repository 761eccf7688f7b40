"""From pieces to requests."""

from __future__ import annotations

import pytest
from couriers import Piece
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfast.storage.requests import plan

KB = 1 << 10


def test_pieces_close_to_each_other_go_together():
    pieces = [Piece(0, 0, 100), Piece(0, 100, 200), Piece(0, 210, 300), Piece(0, 311, 400)]
    requests = plan(pieces, 10, 1 << 20)
    assert [request.spans for request in requests] == [[(0, 100), (100, 200), (210, 300)], [(311, 400)]]
    assert [request.size for request in requests] == [290, 89]


@pytest.mark.parametrize("second", [Piece(1, 100, 200), Piece(0, 50, 150), Piece(0, 0, 50)])
def test_pieces_of_other_shards_or_further_ahead_do_not_go_together(second):
    assert len(plan([Piece(0, 0, 100), second], 10, 1 << 20)) == 2


def test_nothing_goes_together_without_a_gap():
    assert len(plan([Piece(0, 0, 100), Piece(0, 100, 200)], -1, 1 << 20)) == 2


def test_requests_of_several_pieces_are_no_larger_than_a_cut():
    pieces = [Piece(0, at * KB, (at + 1) * KB) for at in range(100)]
    requests = plan(pieces, 0, 8 * KB)
    assert [len(request.tasks) for request in requests] == [8] * 12 + [4]


def test_a_large_piece_is_cut_into_about_equal_requests():
    piece = Piece(3, 1000, 1000 + 100 * KB)
    requests = plan([piece], 0, 32 * KB)
    assert [request.size for request in requests] == [28 * KB, 28 * KB, 28 * KB, 16 * KB]
    assert [request.spans[0][0] for request in requests] == [1000 + at * 28 * KB for at in range(4)]
    assert {request.shard for request in requests} == {3}
    assert requests[0].tasks[0].left == 4
    assert all(request.tasks[0] is requests[0].tasks[0] for request in requests)


def test_a_piece_slightly_larger_than_a_cut_stays_whole():
    assert len(plan([Piece(0, 0, 48 * KB)], 0, 32 * KB)) == 1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10**5), st.integers(0, 10**4)), max_size=20),
    st.integers(-1, 10**5),
    st.integers(1, 20).map(lambda pages: pages * 4 * KB),
)
def test_requests_fill_every_byte_of_every_piece_once(places, gap, cut):
    pieces = [Piece(shard, start, start + size) for shard, start, size in places]
    tasks = {}
    for request in plan(pieces, gap, cut):
        assert 2 * request.size <= 3 * cut
        for span, view, task in zip(request.spans, request.into, request.tasks, strict=True):
            assert len(view) == span[1] - span[0]
            assert task.piece.shard == request.shard
            tasks.setdefault(id(task), [task, 0])[1] += 1
            view[:] = bytes(byte + 1 for byte in view)
    assert all(task.left == requests for task, requests in tasks.values())
    assert all(piece == b"\1" * len(piece) for piece in pieces)
