"""Pieces that wait to be read, and which of them go together."""

from __future__ import annotations

import random

import pytest
from transfer_doubles import Piece

from ddfast.storage.transfer.waiting import CELL, Waiting


def waiting(*places):
    known = Waiting()
    known.add([Piece(*place) for place in places])
    return known


def spans(tasks):
    return [(task.start, task.stop) for task in tasks]


def test_pieces_close_to_the_first_go_with_it_on_either_side():
    known = waiting((0, 210, 220), (0, 170, 180), (0, 230, 240), (0, 190, 200), (0, 261, 270))
    assert spans(known.take(20, 9)) == [(170, 180), (190, 200), (210, 220), (230, 240)]
    assert spans(known.take(20, 9)) == [(261, 270)]
    assert known.take(20, 9) == []


def test_what_is_read_in_vain_has_bounds_and_those_behind_come_first():
    known = waiting((0, 500, 510), *((0, at, at + 10) for at in range(0, 1000, 20) if at != 500))
    assert spans(known.take(13, 30)) == [(at, at + 10) for at in range(500, 720, 20)]


@pytest.mark.parametrize("second", [(1, 100, 200), (0, 50, 150), (0, 0, 50), (0, CELL, CELL + 100)])
def test_pieces_of_other_shards_or_cells_or_over_the_first_do_not_go_with_it(second):
    known = waiting((0, 0, 100), second)
    assert spans(known.take(CELL, 9)) == [(0, 100)]
    assert spans(known.take(CELL, 9)) == [second[1:]]


def test_no_more_go_together_than_may():
    known = waiting(*((0, at * 10, at * 10 + 10) for at in range(100)))
    assert [len(known.take(1000, most)) for most in (0, 1, 2, 30, 90)] == [1, 1, 2, 30, 66]


def test_what_waited_longest_goes_first_and_nothing_is_lost_or_taken_twice():
    draw = random.Random(4)
    places = [(draw.randrange(3), at * 1000, at * 1000 + draw.randrange(1, 1000)) for at in range(3000)]
    draw.shuffle(places)
    known, left, taken = Waiting(), list(places), []
    while left or known.count:
        known.add([Piece(*place) for place in left[:50]])
        left = left[50:]
        first = known.first()
        run = known.take(5000, draw.randrange(1, 20))
        assert first in run
        taken += [(task.piece.shard, task.start, task.stop) for task in run]
    assert sorted(taken) == sorted(places)
    assert (known.count, known.size, known.first()) == (0, 0, None)
    assert not known._cells
