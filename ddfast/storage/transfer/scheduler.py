"""Reads the pieces that the engine's queue provides, as many at a time as increase throughput.

A scheduler belongs to one event loop; see `io_thread` for the thread around it. Its *workers* are tasks that send
request after request until none is left, or fewer may be in flight: a busy pass makes no task for a read.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from typing import cast

from ddfast._native.remote_queue import RemoteQueue
from ddfast.storage.base import Storage
from ddfast.storage.transfer import retry
from ddfast.storage.transfer.requests import PieceQueue, PieceRead, ReadRequest, requests_for
from ddfast.storage.transfer.retry import LinkState

__all__ = ["Scheduler"]

# Pieces that are known before they can be read, at most, and their bytes: those of many small samples, so that some are
# close to each other. TAKE of them are taken from the engine at once, which does not delay reads.
KNOWN = 64 << 10
KNOWN_BYTES = 256 << 20
TAKE = 512

# Pieces are merged only if so many times as many requests remain as may be in flight.
REQUESTS_LEFT = 2

# The share of the budget that merged reads may take for the gaps between their pieces.
SCRATCH = 8

# Seconds between checks whether reads under way are still wanted.
SWEEP = 0.25


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
        self._requests: deque[ReadRequest] = deque()  # requests for the oldest pieces, which are sent next
        self._workers: dict[asyncio.Task[None], ReadRequest | None] = {}
        self._bytes = 0
        self._scratch = 0
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
        while self._requests or self._waiting.count:
            if not self._requests:
                self._fill_requests()
            self._settle(self._requests.popleft(), ReadCancelled())
        if self._workers:
            await asyncio.wait(set(self._workers), timeout=timeout)
        return not self._workers

    def _notified(self) -> None:
        self._queue.clear()
        self._take_pieces()

    def _take_pieces(self) -> None:
        """Take pieces from the queue, and start workers for them."""
        is_armed, waiting = False, self._waiting
        while not self._is_closed and waiting.count < KNOWN and waiting.size < KNOWN_BYTES:
            pieces = self._queue.take(TAKE)
            waiting.add(pieces)
            if len(pieces) == TAKE:
                break  # the next read that ends takes more
            if is_armed:
                break
            self._queue.arm()
            is_armed = True
        self._start_workers()

    def _fill_requests(self) -> None:
        """Make requests for the oldest pieces."""
        # Pieces that have to wait are merged with others close to them, as long as enough requests remain.
        most = self._waiting.count // (REQUESTS_LEFT * self._limiter.limit)
        reads = self._waiting.take(most)
        if reads:
            self._requests += requests_for(reads, self._state.cut)
            self._counters.merged += len(reads) - 1
            self._counters.cut += reads[0].left if reads[0].left > 1 else 0

    def _start_workers(self) -> None:
        """Start workers, as many as are allowed and have a request."""
        while len(self._workers) < self._limiter.limit and (request := self._next()) is not None:
            worker = self._loop.create_task(self._work(request))
            self._workers[worker] = request
            worker.add_done_callback(self._worker_ended)

    def _next(self) -> ReadRequest | None:
        """Begin the next request that is wanted; None if there is none or it may not begin yet."""
        while True:
            if not self._requests:
                self._fill_requests()
                if not self._requests:
                    return None
            request = self._requests[0]
            if not request.is_wanted:
                self._settle(self._requests.popleft(), None)
                continue
            if self._limiter.room == 0 or (self._bytes and self._exceeds_budget(request)):
                return None
            now = retry.now()
            self._bytes += request.size
            self._scratch += request.scratch
            self._limiter.begin(now)
            self._counters.begin(now)
            return self._requests.popleft()

    def _exceeds_budget(self, request: ReadRequest) -> bool:
        scratch = request.scratch
        return self._bytes + request.size > self._budget or (
            scratch > 0 and self._scratch + scratch > self._budget // SCRATCH
        )

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
        self._bytes -= request.size
        self._scratch -= request.scratch
        self._limiter.end(now, 0 if error else request.size)
        self._counters.end(now, self._limiter.limit)
        self._settle(request, error)

    def _settle(self, request: ReadRequest, error: Exception | None) -> None:
        """End the pieces for which this was the last request."""
        request.into.clear()
        for read in request.reads:
            read.error = read.error or error
            read.left -= 1
            if read.left == 0:
                self._end_piece(read)

    def _end_piece(self, read: PieceRead) -> None:
        piece, error = read.piece, read.error
        if error is None and not piece.cancelled:
            piece.end()
        elif error is None or isinstance(error, ReadCancelled):
            piece.fail(errno.ECANCELED, "the read was cancelled")
        else:
            piece.fail(_errno_of(error), self._state.keep(error))

    def _sweep(self) -> None:
        """Cancel reads that are not wanted any more, which a dead server would keep for long."""
        while (oldest := self._waiting.oldest()) is not None and oldest.piece.cancelled:
            for request in requests_for(self._waiting.take(1), self._state.cut):
                self._settle(request, None)
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
