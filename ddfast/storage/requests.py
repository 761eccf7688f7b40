"""Pieces that are wanted -> requests that are sent: small ones merged, large ones cut. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from ddfast._native.feed import Piece
from ddfast.storage.base import Span

__all__ = ["Request", "Task", "plan"]

# Cuts lie at multiples of this, from the piece's start.
CUT_ALIGN = 4 << 10


@dataclass(slots=True)
class Task:
    """A piece under way.

    Attributes:
        piece: what is wanted.
        left: requests for it that have not ended.
        error: why it cannot be had.
    """

    piece: Piece
    left: int = 1
    error: Exception | None = None


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
        """Bytes of memory that it takes besides the pieces'."""
        return self.spans[-1][1] - self.spans[0][0] if len(self.spans) > 1 else 0

    def hull(self) -> tuple[Span, memoryview]:
        """What to read, gaps included, and where to: one span, since storages ask for each by itself."""
        if len(self.spans) == 1:
            return self.spans[0], self.into[0]
        start, stop = self.spans[0][0], self.spans[-1][1]
        return (start, stop), memoryview(bytearray(stop - start))

    def spread(self, whole: memoryview) -> None:
        """Copy what was read to where it belongs, unless it is there."""
        if len(self.spans) > 1:
            first = self.spans[0][0]
            for (start, stop), target in zip(self.spans, self.into, strict=True):
                target[:] = whole[start - first : stop - first]

    @property
    def is_wanted(self) -> bool:
        """Somebody waits for it, and it can be of use."""
        for task in self.tasks:  # noqa: SIM110  this is asked for each read
            if task.error is None and not task.piece.given_up:
                return True
        return False


def plan(pieces: Sequence[Piece], gap: int, cut: int) -> list[Request]:
    """Requests for all pieces, in their order.

    Parameters:
        pieces: wanted, in this order.
        gap: a piece goes with the one before if it starts at most this many bytes behind it; -1 for never.
        cut: bytes; no request is larger by more than a half, and merged ones are no larger.
    """
    requests: list[Request] = []
    for piece in pieces:
        size = piece.stop - piece.start
        if 2 * size > 3 * cut:
            requests += _cut(piece, size, cut)
            continue
        last = requests[-1] if requests else None
        if last is None or not _go_together(last, piece, gap, cut):
            last = Request(piece.shard)
            requests.append(last)
        last.add(Task(piece), (piece.start, piece.stop), _memory(piece))
    return requests


def _memory(piece: Piece) -> memoryview:
    return memoryview(cast("bytearray", piece))  # a type can be said to be a buffer since Python 3.12 only


def _go_together(request: Request, piece: Piece, gap: int, cut: int) -> bool:
    return (
        gap >= 0
        and piece.shard == request.shard
        and 0 <= piece.start - request.spans[-1][1] <= gap
        and piece.stop - request.spans[0][0] <= cut
    )


def _cut(piece: Piece, size: int, cut: int) -> list[Request]:
    """A large piece as requests of about equal size."""
    parts = -(-size // cut)
    step = -(-size // (parts * CUT_ALIGN)) * CUT_ALIGN
    task = Task(piece, left=-(-size // step))
    buffer = _memory(piece)
    requests = []
    for at in range(0, size, step):
        request = Request(piece.shard)
        stop = min(size, at + step)
        request.add(task, (piece.start + at, piece.start + stop), buffer[at:stop])
        requests.append(request)
    return requests
