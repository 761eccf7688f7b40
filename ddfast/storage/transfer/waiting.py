"""Pieces that wait to be read: those that came first go first, and take along what lies close to them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ddfast._native.feed import Piece

__all__ = ["Task", "Waiting"]

# Pieces that begin in the same cell of this many bytes may go together; so what they take along is about as much.
CELL = 256 << 10
REACH = 8


@dataclass(slots=True, eq=False)
class Task:
    """A piece that is to be read.

    Attributes:
        piece: what is wanted.
        start, stop: its position.
        left: requests for it that have not ended.
        error: why it cannot be had.
        waits: no request for it was made yet.
    """

    piece: Piece
    start: int
    stop: int
    left: int = 1
    error: Exception | None = None
    waits: bool = True


class Waiting:
    """Pieces, in the order in which they came and by where they lie.

    Samples in random order that are wanted soon lie the closer to each other the more of them are known. So pieces are
    taken from far ahead, which costs only the memory that is set aside for them anyway.

    Attributes:
        count: how many wait.
        size: bytes of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self._line: deque[Task] = deque()
        self._cells: dict[tuple[int, int], list[Task]] = {}

    def add(self, pieces: Iterable[Piece]) -> None:
        """Have pieces wait behind those that do."""
        cells = self._cells
        for piece in pieces:
            task = Task(piece, piece.start, piece.stop)
            self.count += 1
            self.size += task.stop - task.start
            self._line.append(task)
            cells.setdefault((piece.shard, task.start // CELL), []).append(task)

    def first(self) -> Task | None:
        """The piece that has waited longest."""
        line = self._line
        while line and not line[0].waits:
            line.popleft()
        return line[0] if line else None

    def take(self, gap: int, most: int) -> list[Task]:
        """The piece that has waited longest and those close to it, in order of position; nothing if none waits.

        Parameters:
            gap: bytes that may lie between a piece and the next. `REACH` times as many may lie between all of them, so
                that what has waited longest does not wait much longer.
            most: pieces to take.
        """
        first = self.first()
        if first is None:
            return []
        key = first.piece.shard, first.start // CELL
        cell = self._cells[key]
        run = [first] if most <= 1 or len(cell) == 1 else _run(cell, first, gap, most)
        for task in run:
            task.waits = False
            self.size -= task.stop - task.start
        self.count -= len(run)
        if len(run) == len(cell):
            del self._cells[key]
        else:
            cell[:] = [task for task in cell if task.waits]
        return run


def _run(cell: list[Task], first: Task, gap: int, most: int) -> list[Task]:
    """Up to `most` pieces of a cell, `first` among them, with no larger gap between two, and none lying over another.

    Those behind it are preferred.
    """
    cell.sort(key=_start)
    low = high = cell.index(first)
    left = REACH * gap
    while high + 1 < len(cell) and high - low + 1 < most:
        between = cell[high + 1].start - cell[high].stop
        if not 0 <= between <= min(gap, left):
            break
        high += 1
        left -= between
    while low > 0 and high - low + 1 < most:
        between = cell[low].start - cell[low - 1].stop
        if not 0 <= between <= min(gap, left):
            break
        low -= 1
        left -= between
    return cell[low : high + 1]


def _start(task: Task) -> int:
    return task.start
