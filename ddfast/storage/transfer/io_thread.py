"""The thread with an event loop that reads from far storage: what the engine's feed wants, and single reads.

One for each engine. Everything here that is called from outside is thread safe, blocks for a bounded time only, and
refuses to work after a fork, where the thread does not run.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ddfast._native.feed import Feed
from ddfast.errors import ClosedError, StorageTimeoutError
from ddfast.storage.backends.leaving import requests
from ddfast.storage.base import Span, Stat, Storage
from ddfast.storage.transfer import retry as attempts
from ddfast.storage.transfer.counters import Traffic
from ddfast.storage.transfer.latency import Latency
from ddfast.storage.transfer.limiter import MOST, Flow
from ddfast.storage.transfer.retry import Policy
from ddfast.storage.transfer.scheduler import Courier, Ledger

__all__ = ["Agent"]

S = TypeVar("S")
T = TypeVar("T")

BUDGET = 256 << 20
CLOSE_SECONDS = 5.0

# A whole object is fetched in ranges of this: few requests, of which each is large enough to fill a link for a while.
RANGE = 8 << 20
# Pieces of work, such as ranges of a large object or objects, that are done at a time.
AT_ONCE = 32
# Beyond the time that a policy grants, before the agent itself is taken for stuck.
SLACK = 10.0


class Agent:
    """Reads from far storage in a thread of its own, which starts with the first use and ends with `close`.

    Parameters:
        storages: of the shards, by number. They stay the caller's, who closes them after the agent.
        feed: of the engine whose pieces are to be read; None for single reads only. It is closed with the agent.
        policy: how patient reads are.
        most: reads in flight at most.
        budget: bytes in flight at most.
    """

    def __init__(
        self,
        storages: Sequence[Storage] | Callable[[int], Storage],
        feed: Feed | None = None,
        policy: Policy | None = None,
        most: int = MOST,
        budget: int = BUDGET,
    ) -> None:
        if budget < 1:
            raise ValueError(f"budget is {budget} bytes, and must be at least 1")
        self._storage_of = storages if callable(storages) else storages.__getitem__
        self._feed = feed
        self._ledger = Ledger(policy or Policy(), Flow(most=most))
        self._budget = budget
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._thread: _Thread | None = None
        self._closed = False

    @property
    def policy(self) -> Policy:
        """How patient reads are."""
        return self._ledger.policy

    @property
    def ledger(self) -> Ledger:
        """What it knows; good to have when it is gone."""
        return self._ledger

    @property
    def traffic(self) -> Traffic:
        """What was read so far, counted."""
        return self._ledger.traffic

    @property
    def latency(self) -> Latency:
        """What recent reads took."""
        return self._ledger.latency

    @property
    def gap(self) -> int:
        """Bytes between two spans that are worth reading over, now."""
        return self._ledger.gap

    @property
    def cut(self) -> int:
        """Bytes at which large reads are best cut, now."""
        return self._ledger.cut

    def error(self, reason: str) -> Exception | None:
        """The error with which a piece failed for this reason; None if there was none, or it is long ago."""
        return self._ledger.errors.get(reason)

    def start(self) -> None:
        """Serve the feed from now on. May be repeated.

        Raises:
            ClosedError: the agent is closed, or of another process.
        """
        self._running()

    def submit(
        self, spans: Sequence[Span], into: Sequence[memoryview], shard: int = 0
    ) -> concurrent.futures.Future[None]:
        """Begin to read spans of a shard into buffers, at once: it waits for no other read.

        The buffers belong to the read until the future is done, cancelled or not.

        Raises:
            ClosedError: as `start`. The future gives those of `attempts.read`.
        """
        return self._submit(self._read(self._storage_of(shard), spans, into))

    def read(self, span: Span, shard: int = 0) -> bytearray:
        """The bytes ``(start, stop)`` of a shard.

        Raises:
            StorageError: they could not be read, see `attempts.read`.
            ClosedError: as `start`.
        """
        whole = bytearray(span[1] - span[0])
        self.wait(self.submit([span], [memoryview(whole)], shard))
        return whole

    def for_each(self, work: Callable[[S], Coroutine[Any, Any, T]], items: Sequence[S]) -> list[T]:
        """What `work` gives for each item, in their order, carried out in the agent's loop, some at a time.

        Work there is done with `looked_at` and `whole`.

        Raises:
            what work on an item raises; all other work is given up then.
            ClosedError: as `start`.
        """
        return self.wait(self._submit(_each(work, items)))

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Give all reads up and end the thread. May be repeated.

        Returns:
            False if a read could not be ended within `timeout` seconds; the thread ends with it.
        """
        with self._lock:
            self._closed = True
            thread = self._thread
        if self._pid != os.getpid():
            return True
        if thread is None:
            if self._feed is not None:
                self._feed.close()
            return True
        return thread.stop(timeout)

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _running(self) -> _Thread:
        if self._pid != os.getpid():
            raise ClosedError(
                f"this reader of far storage was begun in process {self._pid}; open the dataset again in this one"
            )
        with self._lock:
            if self._closed:
                raise ClosedError("the reader is closed: nothing more is read from far storage")
            if self._thread is None:
                self._thread = _Thread(self._feed, self._storage_of, self._ledger, self._budget)
                # Ends with the agent at the latest, and before the interpreter does.
                weakref.finalize(self, self._thread.stop, CLOSE_SECONDS)
            return self._thread

    def _submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        try:
            return self._running().submit(work)
        except BaseException:
            work.close()
            raise

    def wait(self, future: concurrent.futures.Future[T]) -> T:
        """The result of something that was submitted; waits no longer than patience lasts."""
        limit, traffic = min(self.policy.timeout + SLACK, threading.TIMEOUT_MAX), self.traffic
        try:
            while True:
                seen = traffic.requests
                try:
                    return future.result(limit)
                except concurrent.futures.TimeoutError:
                    if future.done():  # it is what the read itself raised
                        raise
                    if traffic.requests == seen:  # every read under way should have ended by now
                        raise _stuck(limit) from None
        except concurrent.futures.CancelledError:
            raise ClosedError("the reader was closed while it read") from None
        finally:
            future.cancel()

    async def _read(self, storage: Storage, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        ledger = self._ledger
        ledger.begin(attempts.now())
        try:
            await attempts.read(storage, spans, into, ledger.policy, ledger.latency, ledger.traffic)
        finally:
            ledger.end(attempts.now())

    async def looked_at(self, storage: Storage) -> Stat:
        """Size and version of a storage; errors as `read`. To be awaited in the agent's loop."""
        return await attempts.stat(storage, self.policy, self.traffic)

    async def whole(self, storage: Storage) -> memoryview:
        """All of a storage, which need not be that of a shard, in read-only memory; awaited in the agent's loop.

        A large one is read in several ranges at a time. Errors are those of `read`.
        """
        size = (await self.looked_at(storage)).size
        view = memoryview(bytearray(size))

        async def read(at: int) -> None:
            span = at, min(size, at + RANGE)
            await self._read(storage, [span], [view[span[0] : span[1]]])

        await _each(read, range(0, size, RANGE))
        return view.toreadonly()


def _stuck(seconds: float) -> StorageTimeoutError:
    return StorageTimeoutError(
        f"a read has not ended in {seconds:g} s, though it should have given up by itself: "
        "the storage blocks the event loop that it is read in"
    )


async def _each(work: Callable[[S], Coroutine[Any, Any, T]], items: Sequence[S]) -> list[T]:
    """What `work` gives for each item, `AT_ONCE` of them at a time; where one fails, the others are given up."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: S) -> T:
        async with room:
            return await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class _Thread:
    """The thread, its loop, and what runs in it. Knows nothing of the `Agent`, so that an agent can be dropped."""

    def __init__(
        self, feed: Feed | None, storage_of: Callable[[int], Storage], ledger: Ledger, budget: int
    ) -> None:
        self._loop = _new_loop()
        self._closing = asyncio.Event()
        self._timeout = CLOSE_SECONDS
        self._pid = os.getpid()
        self._stopping = threading.Lock()
        self._courier = (feed, storage_of, ledger, budget)
        # A stuck read must not keep the interpreter from ending, for which `stop` is tried first.
        self._thread = threading.Thread(target=self._run, name="ddfast-storage", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        with self._stopping:
            if self._loop.is_closed():
                raise ClosedError("the reader is closed: nothing more is read from far storage")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self, timeout: float) -> bool:
        """Give up what is under way and wait for the end, `timeout` seconds at most. Returns whether it came."""
        if self._pid != os.getpid():  # at the end of a forked child, where there is no such thread
            return True
        until = time.monotonic() + timeout
        with self._stopping:
            self._timeout = timeout
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(max(0.0, until - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            with self._stopping:
                self._loop.close()
            asyncio.set_event_loop(None)

    async def _serve(self) -> None:
        feed, storage_of, ledger, budget = self._courier
        courier = Courier(feed, storage_of, ledger, budget) if feed is not None else None
        try:
            await self._closing.wait()
        finally:
            if courier is not None:
                await courier.close(self._timeout)
            await _end_all_others(self._timeout)
            await requests.settle()
            await self._loop.shutdown_asyncgens()


async def _end_all_others(timeout: float) -> None:
    """Cancel every other task of this loop, and wait for them."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=timeout)


def _new_loop() -> asyncio.AbstractEventLoop:
    """An event loop, of uvloop where that is installed: it needs less of the processor for each read."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
