"""Pieces that wait to be read, those that are merged, and the requests for them."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transfer_doubles import Piece

from ddfast.storage.transfer.requests import CELL, COALESCE_BYTES, PieceQueue, PieceRead, requests_for

KB = 1 << 10


def piece_read(shard, start, stop):
    return PieceRead(Piece(shard, start, stop), start, stop)


def test_pieces_that_go_together_are_asked_for_at_once():
    (request,) = requests_for(
        [piece_read(0, 0, 100), piece_read(0, 100, 200), piece_read(0, 210, 300)], 1 << 20
    )
    assert request.spans == [(0, 100), (100, 200), (210, 300)]
    assert (request.size, request.scratch) == (290, 300)


def test_a_large_piece_is_cut_into_about_equal_requests():
    requests = requests_for([piece_read(3, 1000, 1000 + 100 * KB)], 32 * KB)
    assert [request.size for request in requests] == [28 * KB, 28 * KB, 28 * KB, 16 * KB]
    assert [request.spans[0][0] for request in requests] == [1000 + at * 28 * KB for at in range(4)]
    assert {request.shard for request in requests} == {3}
    assert requests[0].reads[0].left == 4
    assert all(request.reads[0] is requests[0].reads[0] for request in requests)


def test_a_piece_slightly_larger_than_a_cut_stays_whole():
    assert len(requests_for([piece_read(0, 0, 48 * KB)], 32 * KB)) == 1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**3), st.integers(0, 10**4)), min_size=1, max_size=20),
    st.integers(1, 20).map(lambda pages: pages * 4 * KB),
)
def test_requests_fill_every_byte_of_every_piece_once(gaps_and_sizes, cut):
    reads, at = [], 0
    for gap, size in gaps_and_sizes:
        reads.append(piece_read(1, at + gap, at + gap + size))
        at += gap + size
    requests = requests_for(reads, cut)
    assert sum(read.left for read in reads) == sum(len(request.reads) for request in requests)
    for request in requests:
        assert request.scratch == (request.size if len(request.reads) > 1 else 0) + _gaps(request.spans)
        for (start, stop), into in zip(request.spans, request.into, strict=True):
            assert len(into) == stop - start
            into[:] = bytes(byte + 1 for byte in into)
    assert all(read.piece == b"\1" * len(read.piece) for read in reads)


def _gaps(spans):
    return sum(after[0] - before[1] for before, after in itertools.pairwise(spans))


def queued(*places):
    known = PieceQueue()
    known.add([Piece(*place) for place in places])
    return known


def spans(reads):
    return [(read.start, read.stop) for read in reads]


def test_pieces_close_to_the_oldest_are_taken_with_it_from_both_sides():
    known = queued((0, 210, 220), (0, 170, 180), (0, 230, 240), (0, 190, 200), (0, 261, 270))
    assert spans(known.take(9, 20)) == [(170, 180), (190, 200), (210, 220), (230, 240)]
    assert spans(known.take(9, 20)) == [(261, 270)]
    assert known.take(9, 20) == []


@pytest.mark.parametrize(("gap", "count"), [(COALESCE_BYTES, 2), (COALESCE_BYTES + 1, 1)])
def test_gaps_up_to_the_coalescing_distance_are_read(gap, count):
    assert len(queued((0, 0, 10), (0, 10 + gap, 20 + gap)).take(9)) == count


def test_gaps_have_a_bound_and_later_pieces_come_first():
    known = queued((0, 500, 510), *((0, at, at + 10) for at in range(0, 1000, 20) if at != 500))
    assert spans(known.take(30, 13)) == [(at, at + 10) for at in range(500, 720, 20)]


@pytest.mark.parametrize("second", [(1, 100, 200), (0, 50, 150), (0, 0, 50), (0, CELL, CELL + 100)])
def test_pieces_of_other_shards_or_cells_or_over_the_first_do_not_go_with_it(second):
    known = queued((0, 0, 100), second)
    assert spans(known.take(9, CELL)) == [(0, 100)]
    assert spans(known.take(9, CELL)) == [second[1:]]


def test_no_more_go_together_than_may():
    known = queued(*((0, at * 10, at * 10 + 10) for at in range(100)))
    assert [len(known.take(most, 1000)) for most in (0, 1, 2, 30, 90)] == [1, 1, 2, 30, 66]


def test_the_oldest_goes_first_and_nothing_is_lost_or_taken_twice():
    draw = random.Random(4)
    places = [(draw.randrange(3), at * 1000, at * 1000 + draw.randrange(1, 1000)) for at in range(3000)]
    draw.shuffle(places)
    known, left, taken = PieceQueue(), list(places), []
    while left or known.count:
        known.add([Piece(*place) for place in left[:50]])
        left = left[50:]
        oldest = known.oldest()
        run = known.take(draw.randrange(1, 20), 5000)
        assert oldest in run
        taken += [(read.piece.shard, read.start, read.stop) for read in run]
    assert sorted(taken) == sorted(places)
    assert (known.count, known.size, known.oldest()) == (0, 0, None)
    assert not known._cells
