"""Pieces that wait to be read, those that are merged, and the requests for them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transfer_doubles import Piece

from ddfast.storage.transfer.scheduler import CELL, COALESCE_BYTES, PieceQueue, PieceRead, ReadRequest


def piece_read(shard, start, stop):
    return PieceRead(Piece(shard, start, stop), start, stop)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**3), st.integers(0, 10**4)), min_size=1, max_size=20))
def test_requests_fill_every_byte_of_every_piece_once(gaps_and_sizes):
    reads, at = [], 0
    for gap, size in gaps_and_sizes:
        reads.append(piece_read(1, at + gap, at + gap + size))
        at += gap + size
    request = ReadRequest(reads)
    assert request.shard == 1
    assert request.spans == spans(reads)
    assert request.size == sum(stop - start for start, stop in request.spans)
    assert request.memory == request.size + (at - reads[0].start if len(reads) > 1 else 0)
    for (start, stop), into in zip(request.spans, request.into, strict=True):
        assert len(into) == stop - start
        into[:] = bytes(byte + 1 for byte in into)
    assert all(read.piece == b"\1" * len(read.piece) for read in reads)


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
    assert (known.count, known.oldest()) == (0, None)
    assert not known._cells
