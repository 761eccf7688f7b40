"""Reads the pieces that the engine's queue provides, as many at a time as increase throughput.

A scheduler belongs to one event loop; see `io_thread` for the thread around it. Its *workers* are tasks that send
request after request until none is left, or fewer may be in flight: a busy pass makes no task for a read.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from ddfast._native.remote_queue import RemotePiece, RemoteQueue
from ddfast.storage.base import Storage
from ddfast.storage.transfer import retry
from ddfast.storage.transfer.retry import LinkState

__all__ = ["PieceQueue", "ReadRequest", "Scheduler"]

# The coalescing distance: bytes between two pieces that are read to save a request. For random samples of 2.8 kB, half
# of it was measured to send a third more requests, and twice as much to fetch up to twice the bytes.
COALESCE_BYTES = 32 << 10
# All gaps of one request have at most so many times the distance: the oldest piece must not wait much longer.
COALESCE_TOTAL = 8
# Pieces are merged if they begin in the same cell of so many bytes.
CELL = 256 << 10

# Pieces that are known before they can be read, at most: those of many small samples, so that some are close to each
# other. TAKE of them are taken from the engine at once, which does not delay reads.
KNOWN = 64 << 10
TAKE = 512

# Pieces are merged only if so many times as many requests remain as may be in flight.
REQUESTS_LEFT = 2

# Seconds between checks whether reads under way are still wanted.
SWEEP = 0.25


@dataclass(slots=True, eq=False)
class PieceRead:
    """A piece in a queue.

    Attributes:
        piece: the piece.
        start, stop: its position.
        is_waiting: whether it is not part of a request yet.
    """

    piece: RemotePiece
    start: int
    stop: int
    is_waiting: bool = True


class PieceQueue:
    """Pieces that wait to be read, by age and by position.

    The more pieces are known, the closer to each other those of samples in random order are. So pieces are taken from
    the engine long before they can be read, which costs only the memory that is reserved for them anyway.

    Attributes:
        count: number of pieces.
    """

    def __init__(self) -> None:
        self.count = 0
        self._by_age: deque[PieceRead] = deque()
        self._cells: dict[tuple[int, int], list[PieceRead]] = {}

    def add(self, pieces: Iterable[RemotePiece]) -> None:
        """Add pieces, as the youngest."""
        cells = self._cells
        for piece in pieces:
            read = PieceRead(piece, piece.start, piece.stop)
            self.count += 1
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


class ReadRequest:
    """Pieces of a shard that are read at once, in order of position and close to each other.

    Attributes:
        shard: number of the data file.
        pieces: the pieces.
        spans: their ranges of bytes.
        into: their memory.
        size: total bytes.
        memory: bytes that the request takes; several pieces are read together with the gaps between them, and copied.
    """

    __slots__ = ("into", "memory", "pieces", "shard", "size", "spans")

    def __init__(self, reads: list[PieceRead]) -> None:
        self.pieces = [read.piece for read in reads]
        self.shard = self.pieces[0].shard
        self.spans = [(read.start, read.stop) for read in reads]
        # types can be declared as buffers only since Python 3.12
        self.into = [memoryview(cast("bytearray", piece)) for piece in self.pieces]
        self.size = sum(map(len, self.into))
        self.memory = self.size + (reads[-1].stop - reads[0].start if len(reads) > 1 else 0)

    @property
    def is_wanted(self) -> bool:
        """Whether any of its pieces can still be used."""
        for piece in self.pieces:  # noqa: SIM110  this is called for each request
            if not piece.cancelled:
                return True
        return False


class ReadCancelled(Exception):  # noqa: N818
    """A request was not carried out, because its pieces are not wanted any more."""


class Scheduler:
    """Reads pieces from storages into their memory, in the running event loop.

    Parameters:
        queue: where pieces come from.
        storage_of: the storage of a shard.
        state: policy, measurements and counters.
        budget: bytes in flight at most, except that one request is always allowed.
    """

    def __init__(
        self, queue: RemoteQueue, storage_of: Callable[[int], Storage], state: LinkState, budget: int
    ) -> None:
        self._queue = queue
        self._storage_of = storage_of
        self._state = state
        self._limiter = state.limiter
        self._counters = state.counters
        self._budget = budget
        self._waiting = PieceQueue()
        self._request: ReadRequest | None = None  # of the oldest pieces, which is sent next
        self._workers: dict[asyncio.Task[None], ReadRequest | None] = {}
        self._bytes = 0
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._sweep_timer = self._loop.call_later(SWEEP, self._sweep)
        self._loop.add_reader(queue.fileno(), self._notified)
        self._notified()

    async def close(self, timeout: float) -> bool:
        """Cancel everything. Returns False if a read could not be ended within `timeout` seconds."""
        self._is_closed = True
        self._sweep_timer.cancel()
        self._loop.remove_reader(self._queue.fileno())
        self._queue.close()
        for worker in self._workers:
            worker.cancel()
        while (request := self._oldest()) is not None:
            self._request = None
            self._settle(request, ReadCancelled())
        if self._workers:
            await asyncio.wait(set(self._workers), timeout=timeout)
        return not self._workers

    def _notified(self) -> None:
        self._queue.clear()
        self._take_pieces()

    def _take_pieces(self) -> None:
        """Take pieces from the queue, and start workers for them."""
        is_armed, waiting = False, self._waiting
        while not self._is_closed and waiting.count < KNOWN:
            pieces = self._queue.take(TAKE)
            waiting.add(pieces)
            if len(pieces) == TAKE:
                break  # the next read that ends takes more
            if is_armed:
                break
            self._queue.arm()
            is_armed = True
        self._start_workers()

    def _oldest(self) -> ReadRequest | None:
        """The request for the oldest pieces that wait; it remains the next one until `_request` is None."""
        if self._request is None:
            # Pieces that have to wait are merged with others close to them, as long as enough requests remain.
            reads = self._waiting.take(self._waiting.count // (REQUESTS_LEFT * self._limiter.limit))
            if reads:
                self._request = ReadRequest(reads)
                self._counters.merged += len(reads) - 1
        return self._request

    def _start_workers(self) -> None:
        """Start workers, as many as are allowed and have a request."""
        while len(self._workers) < self._limiter.limit and (request := self._next()) is not None:
            worker = self._loop.create_task(self._work(request))
            self._workers[worker] = request
            worker.add_done_callback(self._worker_ended)

    def _next(self) -> ReadRequest | None:
        """Begin the next request that is wanted; None if there is none or it may not begin yet."""
        while (request := self._oldest()) is not None:
            if not request.is_wanted:
                self._request = None
                self._settle(request, None)
                continue
            if self._limiter.room == 0 or (self._bytes and self._bytes + request.memory > self._budget):
                return None
            now = retry.now()
            self._request = None
            self._bytes += request.memory
            self._limiter.begin(now)
            self._counters.begin(now)
            return request
        return None

    async def _work(self, first: ReadRequest) -> None:
        me = cast("asyncio.Task[None]", asyncio.current_task(self._loop))
        request: ReadRequest | None = first
        while request is not None:
            self._workers[me] = request
            error = await self._read(request)
            self._workers[me] = None
            self._end(request, error)
            self._take_pieces()
            request = self._next()

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        """A worker has no request any more, or was cancelled, perhaps before it began."""
        request = self._workers.pop(worker)
        if request is not None:
            self._end(request, ReadCancelled())
        self._take_pieces()

    async def _read(self, request: ReadRequest) -> Exception | None:
        try:
            storage = self._storage_of(request.shard)
            if storage.read_at_hand(request.spans, request.into):
                await asyncio.sleep(0)  # let other tasks handle answers that have arrived
                return None
            await retry.read(storage, request.spans, request.into, self._state, is_scheduled=True)
        except Exception as error:
            return error
        return None

    def _end(self, request: ReadRequest, error: Exception | None) -> None:
        now = retry.now()
        self._bytes -= request.memory
        self._limiter.end(now, 0 if error else request.size)
        self._counters.end(now, self._limiter.limit)
        self._settle(request, error)

    def _settle(self, request: ReadRequest, error: Exception | None) -> None:
        """End the pieces of a request."""
        request.into.clear()
        code, reason = errno.ECANCELED, "the read was cancelled"
        if error is not None and not isinstance(error, ReadCancelled):
            code, reason = _errno_of(error), self._state.keep(error)
            self._counters.failed += len(request.pieces)
        for piece in request.pieces:
            if error is None and not piece.cancelled:
                piece.end()
            else:
                piece.fail(code, reason)

    def _sweep(self) -> None:
        """Cancel reads that are not wanted any more, which a dead server would keep for long."""
        while (oldest := self._waiting.oldest()) is not None and oldest.piece.cancelled:
            self._settle(ReadRequest(self._waiting.take(1)), None)
        for worker, current in self._workers.items():
            if current is not None and not current.is_wanted:
                worker.cancel()
        self._sweep_timer = self._loop.call_later(SWEEP, self._sweep)


def _errno_of(error: Exception) -> int:
    """The errno that is closest to an error."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    kinds = {TimeoutError: errno.ETIMEDOUT, FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}
    return next((code for kind, code in kinds.items() if isinstance(error, kind)), errno.EIO)
