"""Reads the pieces that the engine's feed hands out, as many at a time as the link is worth.

It lives in one event loop; see `agent` for the thread around it. A read is a turn in the life of a *carrier*, a task
that goes from request to request until there are none, or fewer are to be in flight: in a busy pass no task is made
for a read.
"""

from __future__ import annotations

import asyncio
import errno
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from ddfast._native.feed import Feed
from ddfast.storage.base import Storage
from ddfast.storage.transfer import retry as attempts
from ddfast.storage.transfer.counters import Traffic
from ddfast.storage.transfer.latency import Latency
from ddfast.storage.transfer.limiter import Flow
from ddfast.storage.transfer.requests import Request, requests_for
from ddfast.storage.transfer.retry import Policy
from ddfast.storage.transfer.waiting import Task, Waiting

__all__ = ["Courier", "Ledger"]

# Pieces that are known before they can be read, at most, and their bytes: those of many samples if these are small, so
# that some lie close to each other. As many are taken from the engine at once as do not hold reads up for long.
KNOWN = 64 << 10
KNOWN_BYTES = 256 << 20
TAKEN = 512

# Pieces go together only if so many times the reads that may be in flight are left.
REQUESTS_LEFT = 2

# The share of the budget that reads of several pieces may take besides, for what lies between those.
SCRATCH = 8

# How often reads under way are looked at for whether they are wanted still, in seconds.
SWEEP = 0.25

# Errors kept for their reasons, and characters of those that the engine hands on.
ERRORS = 256
LONGEST_REASON = 1000


@dataclass(slots=True)
class Ledger:
    """What is known of the link and of the reads over it, shared by all that read over it."""

    policy: Policy
    flow: Flow
    latency: Latency = field(default_factory=Latency)
    traffic: Traffic = field(default_factory=Traffic)
    errors: OrderedDict[str, Exception] = field(default_factory=OrderedDict)
    _waited_until: float = 0.0

    @property
    def gap(self) -> int:
        """Bytes between two spans that are worth reading over, now."""
        return self.flow.gap.size

    @property
    def cut(self) -> int:
        """Bytes at which large reads are best cut, now."""
        return self.latency.cut(self.flow.limit)

    def begin(self, now: float) -> None:
        """A request is sent."""
        traffic = self.traffic
        if traffic.in_flight == 0:
            self._waited_until = now
        traffic.in_flight += 1
        traffic.in_flight_max = max(traffic.in_flight_max, traffic.in_flight)

    def end(self, now: float) -> None:
        """A request has ended."""
        traffic = self.traffic
        traffic.in_flight -= 1
        traffic.waited += now - self._waited_until
        self._waited_until = now
        traffic.limit = self.flow.limit

    def keep(self, error: Exception) -> str:
        """Keep an error, to be found by the reason that is returned."""
        text = str(error).replace("\0", "") or type(error).__name__
        reason = text[:LONGEST_REASON].encode("utf-8", "replace").decode()
        self.errors[reason] = error
        self.traffic.failed += 1
        while len(self.errors) > ERRORS:
            self.errors.popitem(last=False)
        return reason


class GivenUp(Exception):  # noqa: N818
    """A request was not carried out, because nobody waits for it."""


class Courier:
    """Carries pieces from storages into their memory. Belongs to the running event loop.

    Parameters:
        feed: where pieces come from.
        storage_of: the storage of a shard.
        ledger: policy and counters.
        budget: bytes in flight at most; one request is in any case.
    """

    def __init__(self, feed: Feed, storage_of: Callable[[int], Storage], ledger: Ledger, budget: int) -> None:
        self._feed = feed
        self._storage_of = storage_of
        self._ledger = ledger
        self._flow = ledger.flow
        self._budget = budget
        self._waiting = Waiting()
        self._queue: deque[Request] = deque()  # made of what has waited longest, and to be sent next
        self._carriers: dict[asyncio.Task[None], Request | None] = {}
        self._bytes = 0
        self._scratch = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._sweep_timer = self._loop.call_later(SWEEP, self._sweep)
        self._loop.add_reader(feed.fileno(), self._called)
        self._called()

    async def close(self, timeout: float) -> bool:
        """Give everything up. Returns False if a read could not be ended within `timeout` seconds."""
        self._closed = True
        self._sweep_timer.cancel()
        self._loop.remove_reader(self._feed.fileno())
        self._feed.close()
        for carrier in self._carriers:
            carrier.cancel()
        while self._queue or self._waiting.count:
            if not self._queue:
                self._prepare()
            self._settle(self._queue.popleft(), GivenUp())
        if self._carriers:
            await asyncio.wait(set(self._carriers), timeout=timeout)
        return not self._carriers

    def _called(self) -> None:
        self._feed.clear()
        self._look()

    def _look(self) -> None:
        """Take what can be read soon, and see that somebody reads it."""
        armed, waiting = False, self._waiting
        while not self._closed and waiting.count < KNOWN and waiting.size < KNOWN_BYTES:
            pieces = self._feed.take(TAKEN)
            waiting.add(pieces)
            if len(pieces) == TAKEN:
                break  # the next read that ends takes more
            if armed:
                break
            self._feed.arm()
            armed = True
        self._staff()

    def _prepare(self) -> None:
        """Make requests of what has waited longest."""
        waiting, traffic = self._waiting, self._ledger.traffic
        # Those that must wait for others to end go together as far as that is worth it, and leaves enough requests.
        most = waiting.count // (REQUESTS_LEFT * self._flow.limit)
        tasks = waiting.take(self._ledger.gap, most)
        if tasks:
            self._queue += requests_for(tasks, self._ledger.cut)
            traffic.merged += len(tasks) - 1
            traffic.cut += tasks[0].left if tasks[0].left > 1 else 0

    def _staff(self) -> None:
        """Let carriers begin, as many as may and have something to do."""
        while len(self._carriers) < self._flow.limit and (request := self._next()) is not None:
            carrier = self._loop.create_task(self._carry(request))
            self._carriers[carrier] = request
            carrier.add_done_callback(self._retire)

    def _next(self) -> Request | None:
        """Begin with the next request that somebody waits for, if it may begin now."""
        while True:
            if not self._queue:
                self._prepare()
                if not self._queue:
                    return None
            request = self._queue[0]
            if not request.is_wanted:
                self._settle(self._queue.popleft(), None)
                continue
            if self._flow.room == 0 or (self._bytes and self._is_too_much(request)):
                return None
            now = attempts.now()
            self._bytes += request.size
            self._scratch += request.scratch
            self._flow.begin(now)
            self._ledger.begin(now)
            return self._queue.popleft()

    def _is_too_much(self, request: Request) -> bool:
        scratch = request.scratch
        return self._bytes + request.size > self._budget or (
            scratch > 0 and self._scratch + scratch > self._budget // SCRATCH
        )

    async def _carry(self, first: Request) -> None:
        me = cast("asyncio.Task[None]", asyncio.current_task(self._loop))
        request: Request | None = first
        while request is not None:
            self._carriers[me] = request
            error = await self._read(request)
            self._carriers[me] = None
            self._finish(request, error)
            self._look()
            request = self._next()

    def _retire(self, carrier: asyncio.Task[None]) -> None:
        """A carrier has nothing to do any more, or was cancelled, perhaps before it began."""
        request = self._carriers.pop(carrier)
        if request is not None:
            self._finish(request, GivenUp())
        self._look()

    async def _read(self, request: Request) -> Exception | None:
        ledger = self._ledger
        try:
            storage = self._storage_of(request.shard)
            if storage.read_at_hand(request.spans, request.into):
                await asyncio.sleep(0)  # what others have asked for may have come
                return None
            await attempts.read(
                storage,
                request.spans,
                request.into,
                ledger.policy,
                ledger.latency,
                ledger.traffic,
                self._flow,
                at_once=True,
            )
        except Exception as error:
            return error
        return None

    def _finish(self, request: Request, error: Exception | None) -> None:
        now = attempts.now()
        self._bytes -= request.size
        self._scratch -= request.scratch
        self._flow.end(now, 0 if error else request.size)
        self._ledger.end(now)
        self._settle(request, error)

    def _settle(self, request: Request, error: Exception | None) -> None:
        """End the pieces that this was the last request for."""
        request.into.clear()
        for task in request.tasks:
            task.error = task.error or error
            task.left -= 1
            if task.left == 0:
                self._end(task)

    def _end(self, task: Task) -> None:
        piece, error = task.piece, task.error
        if error is None and not piece.given_up:
            piece.end()
        elif error is None or isinstance(error, GivenUp):
            piece.fail(errno.ECANCELED, "the read was given up")
        else:
            piece.fail(_errno_of(error), self._ledger.keep(error))

    def _sweep(self) -> None:
        """Give up reads under way that nobody waits for any more: a dead server would hold them for long."""
        while (first := self._waiting.first()) is not None and first.piece.given_up:
            for each in requests_for(self._waiting.take(0, 1), self._ledger.cut):
                self._settle(each, None)
        for carrier, request in self._carriers.items():
            if request is not None and not request.is_wanted:
                carrier.cancel()
        self._sweep_timer = self._loop.call_later(SWEEP, self._sweep)


def _errno_of(error: Exception) -> int:
    """The errno that says most about an error."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    kinds = {TimeoutError: errno.ETIMEDOUT, FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}
    return next((code for kind, code in kinds.items() if isinstance(error, kind)), errno.EIO)
