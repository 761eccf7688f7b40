"""From pieces that the engine wants to requests that are sent: small pieces merged, large ones cut. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from ddfast._native.remote_queue import RemotePiece
from ddfast.storage.base import Span

__all__ = ["COALESCE_BYTES", "PieceQueue", "PieceRead", "ReadRequest", "requests_for"]

# The coalescing distance: bytes between two pieces that are read to save a request. They take less time than a request,
# which takes 50 microseconds of processor time and more, on links of 300 MB/s and more.
COALESCE_BYTES = 16 << 10
# All gaps of one request have at most so many times the distance: the oldest piece must not wait much longer.
COALESCE_TOTAL = 8
# Pieces are merged if they begin in the same cell of so many bytes.
CELL = 256 << 10

# Cuts are at multiples of this from the start of the piece.
CUT_ALIGN = 4 << 10


@dataclass(slots=True, eq=False)
class PieceRead:
    """A piece that is to be read.

    Attributes:
        piece: the piece.
        start, stop: its position.
        left: requests for it that have not ended.
        error: why it cannot be read.
        is_waiting: whether it is not part of a request yet.
    """

    piece: RemotePiece
    start: int
    stop: int
    left: int = 1
    error: Exception | None = None
    is_waiting: bool = True


class PieceQueue:
    """Pieces that wait to be read, by age and by position.

    The more pieces are known, the closer to each other those of samples in random order are. So pieces are taken from
    the engine long before they can be read, which costs only the memory that is reserved for them anyway.

    Attributes:
        count: number of pieces.
        size: their bytes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self._by_age: deque[PieceRead] = deque()
        self._cells: dict[tuple[int, int], list[PieceRead]] = {}

    def add(self, pieces: Iterable[RemotePiece]) -> None:
        """Add pieces, as the youngest."""
        cells = self._cells
        for piece in pieces:
            read = PieceRead(piece, piece.start, piece.stop)
            self.count += 1
            self.size += read.stop - read.start
            self._by_age.append(read)
            cells.setdefault((piece.shard, read.start // CELL), []).append(read)

    def oldest(self) -> PieceRead | None:
        """The oldest piece."""
        by_age = self._by_age
        while by_age and not by_age[0].is_waiting:
            by_age.popleft()
        return by_age[0] if by_age else None

    def take(self, most: int, distance: int = COALESCE_BYTES) -> list[PieceRead]:
        """Remove the oldest piece and those close to it; returns them by position, none if the queue is empty.

        Parameters:
            most: number of pieces.
            distance: bytes between a piece and the next.
        """
        oldest = self.oldest()
        if oldest is None:
            return []
        key = oldest.piece.shard, oldest.start // CELL
        cell = self._cells[key]
        run = [oldest] if most <= 1 or len(cell) == 1 else _run(cell, oldest, most, distance)
        for read in run:
            read.is_waiting = False
            self.size -= read.stop - read.start
        self.count -= len(run)
        if len(run) == len(cell):
            del self._cells[key]
        else:
            cell[:] = [read for read in cell if read.is_waiting]
        return run


def _run(cell: list[PieceRead], oldest: PieceRead, most: int, distance: int) -> list[PieceRead]:
    """Up to `most` pieces of a cell around the oldest, close to each other and without overlap; later ones first."""
    cell.sort(key=_start)
    low = high = cell.index(oldest)
    left = COALESCE_TOTAL * distance
    while high + 1 < len(cell) and high - low + 1 < most:
        between = cell[high + 1].start - cell[high].stop
        if not 0 <= between <= min(distance, left):
            break
        high += 1
        left -= between
    while low > 0 and high - low + 1 < most:
        between = cell[low].start - cell[low - 1].stop
        if not 0 <= between <= min(distance, left):
            break
        low -= 1
        left -= between
    return cell[low : high + 1]


def _start(read: PieceRead) -> int:
    return read.start


@dataclass(slots=True)
class ReadRequest:
    """What is requested from a storage at once.

    Attributes:
        shard: number of the data file.
        spans: ranges of bytes, in order.
        into: a buffer for each.
        reads: the pieces that they belong to, one for each.
        size: total bytes.
    """

    shard: int
    spans: list[Span] = field(default_factory=list)
    into: list[memoryview] = field(default_factory=list)
    reads: list[PieceRead] = field(default_factory=list)
    size: int = 0

    def add(self, read: PieceRead, span: Span, into: memoryview) -> None:
        """Request one more span."""
        self.spans.append(span)
        self.into.append(into)
        self.reads.append(read)
        self.size += span[1] - span[0]

    @property
    def scratch(self) -> int:
        """Bytes of memory besides that of the pieces: several spans are read together with the gaps between them."""
        return self.spans[-1][1] - self.spans[0][0] if len(self.spans) > 1 else 0

    @property
    def is_wanted(self) -> bool:
        """Whether any of its pieces can still be used."""
        for read in self.reads:  # noqa: SIM110  this is called for each request
            if read.error is None and not read.piece.cancelled:
                return True
        return False


def requests_for(reads: Sequence[PieceRead], cut: int) -> list[ReadRequest]:
    """The requests for pieces of a shard, which are in order of position and close to each other.

    Parameters:
        reads: at least one.
        cut: bytes into which a single large piece is cut; parts may be up to half larger.
    """
    first = reads[0]
    shard, size = first.piece.shard, first.stop - first.start
    if len(reads) == 1 and 2 * size > 3 * cut:
        return _cut(first, size, cut)
    request = ReadRequest(shard)
    for read in reads:
        request.add(read, (read.start, read.stop), _memory(read.piece))
    return [request]


def _memory(piece: RemotePiece) -> memoryview:
    return memoryview(cast("bytearray", piece))  # types can be declared as buffers only since Python 3.12


def _cut(read: PieceRead, size: int, cut: int) -> list[ReadRequest]:
    """A large piece as requests of about equal size."""
    parts = -(-size // cut)
    step = -(-size // (parts * CUT_ALIGN)) * CUT_ALIGN
    read.left = -(-size // step)
    buffer = _memory(read.piece)
    requests = []
    for at in range(0, size, step):
        request = ReadRequest(read.piece.shard)
        stop = min(size, at + step)
        request.add(read, (read.start + at, read.start + stop), buffer[at:stop])
        requests.append(request)
    return requests
