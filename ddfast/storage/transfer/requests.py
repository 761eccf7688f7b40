"""Pieces that are wanted -> requests that are sent: small ones merged, large ones cut. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from ddfast._native.feed import Piece
from ddfast.storage.base import Span
from ddfast.storage.transfer.waiting import Task

__all__ = ["Request", "requests_for"]

# Cuts lie at multiples of this, from the piece's start.
CUT_ALIGN = 4 << 10


@dataclass(slots=True)
class Request:
    """What is asked of the storage at once.

    Attributes:
        shard: number of the data file.
        spans: bytes of it, in order.
        into: a buffer for each.
        tasks: whose pieces they are of, one for each.
        size: bytes in all.
    """

    shard: int
    spans: list[Span] = field(default_factory=list)
    into: list[memoryview] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    size: int = 0

    def add(self, task: Task, span: Span, into: memoryview) -> None:
        """Ask for one span more."""
        self.spans.append(span)
        self.into.append(into)
        self.tasks.append(task)
        self.size += span[1] - span[0]

    @property
    def scratch(self) -> int:
        """Bytes of memory that it takes besides the pieces', for what lies between them is read as well."""
        return self.spans[-1][1] - self.spans[0][0] if len(self.spans) > 1 else 0

    @property
    def is_wanted(self) -> bool:
        """Somebody waits for it, and it can be of use."""
        for task in self.tasks:  # noqa: SIM110  this is asked for each read
            if task.error is None and not task.piece.given_up:
                return True
        return False


def requests_for(tasks: Sequence[Task], cut: int) -> list[Request]:
    """What to ask for to get pieces of a shard, which are in order of position and close to each other.

    Parameters:
        tasks: at least one.
        cut: bytes at which a single large piece is cut; no part of it is larger by more than a half.
    """
    first = tasks[0]
    shard, size = first.piece.shard, first.stop - first.start
    if len(tasks) == 1 and 2 * size > 3 * cut:
        return _cut(first, size, cut)
    request = Request(shard)
    for task in tasks:
        request.add(task, (task.start, task.stop), _memory(task.piece))
    return [request]


def _memory(piece: Piece) -> memoryview:
    return memoryview(cast("bytearray", piece))  # a type can be said to be a buffer since Python 3.12 only


def _cut(task: Task, size: int, cut: int) -> list[Request]:
    """A large piece as requests of about equal size."""
    parts = -(-size // cut)
    step = -(-size // (parts * CUT_ALIGN)) * CUT_ALIGN
    task.left = -(-size // step)
    buffer = _memory(task.piece)
    requests = []
    for at in range(0, size, step):
        request = Request(task.piece.shard)
        stop = min(size, at + step)
        request.add(task, (task.start + at, task.start + stop), buffer[at:stop])
        requests.append(request)
    return requests
