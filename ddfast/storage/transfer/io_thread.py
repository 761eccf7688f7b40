"""The thread with an event loop that reads from remote storage: the pieces of an engine's queue, and single reads.

There is one for each engine. All public methods are thread safe, block for a bounded time only, and raise after a
fork, where the thread does not exist.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ddfast._native.remote_queue import RemoteQueue
from ddfast.errors import ClosedError, StorageTimeoutError
from ddfast.storage.backends.stores import pending
from ddfast.storage.base import Span, Stat, Storage, all_of, memory_for
from ddfast.storage.transfer import retry
from ddfast.storage.transfer.link import MOST, ConcurrencyLimiter
from ddfast.storage.transfer.retry import LinkState, RetryPolicy
from ddfast.storage.transfer.scheduler import Scheduler

if TYPE_CHECKING:
    from ddfast.storage.transfer.link import TransferCounters

__all__ = ["BUDGET", "SLACK", "IOThread"]

S = TypeVar("S")
T = TypeVar("T")

BUDGET = 256 << 20
CLOSE_SECONDS = 5.0

# Whole objects are read in ranges of this size: few requests, each of which is large enough to fill a link for a while.
RANGE = 8 << 20
# Concurrent coroutines of `for_each`, such as for objects or for ranges of a large one.
AT_ONCE = 32
# Seconds beyond the timeout of a read after which the thread itself is considered stuck.
SLACK = 10.0


class IOThread:
    """Reads from remote storage in a thread, which starts at the first use and ends with `close`.

    Parameters:
        storages: of the shards of the queue's pieces, by number. The caller closes them, after this.
        queue: of the engine whose pieces are to be read; None for single reads only. Closed together with this.
        policy: the retry policy; None for the default.
        most: maximum number of reads in flight.
        budget: maximum number of bytes in flight.
    """

    def __init__(
        self,
        storages: Sequence[Storage] = (),
        queue: RemoteQueue | None = None,
        policy: RetryPolicy | None = None,
        most: int = MOST,
        budget: int = BUDGET,
    ) -> None:
        if budget < 1:
            raise ValueError(f"budget is {budget} bytes, but must be at least 1")
        self._storages = storages
        self._queue = queue
        self.state = LinkState(policy or RetryPolicy(), ConcurrencyLimiter(most=most))
        self._budget = budget
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._loop_thread: _LoopThread | None = None
        self._is_closed = False

    @property
    def counters(self) -> TransferCounters:
        """What was read so far."""
        return self.state.counters

    def start(self) -> None:
        """Serve the queue from now on. May be repeated.

        Raises:
            ClosedError: this is closed, or was made by another process.
        """
        self._running()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine in this thread, such as `read`, at once, whatever else is being read.

        Memory that it writes to is in use until the future is done, even if it is cancelled.

        Raises:
            ClosedError: as `start`.
        """
        try:
            return self._running().submit(coroutine)
        except BaseException:
            coroutine.close()
            raise

    def for_each(self, function: Callable[[S], Coroutine[Any, Any, T]], items: Sequence[S]) -> list[T]:
        """The results of a coroutine function for all items, in order; it runs in this thread, for several at a time.

        It may await `stat`, `read` and `read_all`.

        Raises:
            ClosedError: as `start`.
            Exception: the first one that the function raises; the other calls are cancelled.
        """
        return self.wait(self.submit(_each(function, items)))

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Cancel all reads and end the thread. May be repeated.

        Returns:
            False if a read could not be ended within `timeout` seconds; the thread ends after it.
        """
        with self._lock:
            self._is_closed = True
            thread = self._loop_thread
        if self._pid != os.getpid():
            return True
        if thread is None:
            if self._queue is not None:
                self._queue.close()
            return True
        return thread.stop(timeout)

    def __enter__(self) -> IOThread:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _running(self) -> _LoopThread:
        if self._pid != os.getpid():
            raise ClosedError(
                f"this reader of remote storage was opened by process {self._pid} and cannot be used in process "
                f"{os.getpid()}. Open the dataset again in this process"
            )
        with self._lock:
            if self._is_closed:
                raise ClosedError("the reader is closed")
            if self._loop_thread is None:
                self._loop_thread = _LoopThread(self._queue, self._storages, self.state, self._budget)
                # The thread ends at the latest together with this object, and before the interpreter does.
                weakref.finalize(self, self._loop_thread.stop, CLOSE_SECONDS)
            return self._loop_thread

    def wait(self, future: concurrent.futures.Future[T]) -> T:
        """The result of a submitted read; waits at most until it must have timed out by itself."""
        limit, counters = min(self.state.retry.timeout + SLACK, threading.TIMEOUT_MAX), self.counters
        try:
            while True:
                seen = counters.requests
                try:
                    return future.result(limit)
                except concurrent.futures.TimeoutError:
                    if future.done():  # the read itself raised this
                        raise
                    if counters.requests == seen:  # all reads under way should have ended by now
                        raise StorageTimeoutError(
                            f"a read has not ended within {limit:g} s, though it should have timed out by itself: "
                            "the storage blocks the event loop in which it is read"
                        ) from None
        except concurrent.futures.CancelledError:
            raise ClosedError("the reader was closed during a read") from None
        finally:
            future.cancel()

    async def read(self, storage: Storage, span: Span, into: memoryview) -> None:
        """Bytes ``(start, stop)`` of any storage, to be awaited in this thread.

        Raises:
            StorageError: as `retry.read`.
        """
        self.counters.begin(retry.now())
        try:
            await retry.read(storage, [span], [into], self.state)
        finally:
            self.counters.end(retry.now(), self.state.limiter.limit)

    async def stat(self, storage: Storage) -> Stat:
        """Size and version of any storage, to be awaited in this thread. Errors as `read`."""
        return await retry.stat(storage, self.state)

    async def read_all(self, storage: Storage) -> memoryview:
        """The whole object of any storage, in read-only memory, to be awaited in this thread. Errors as `read`.

        Several ranges of a large object are read at a time.
        """
        size = (await self.stat(storage)).size
        view = memory_for(size, storage.name)

        async def part(at: int) -> None:
            stop = min(size, at + RANGE)
            await self.read(storage, (at, stop), view[at:stop])

        await _each(part, range(0, size, RANGE))
        return view.toreadonly()


async def _each(function: Callable[[S], Coroutine[Any, Any, T]], items: Sequence[S]) -> list[T]:
    """Results for all items, `AT_ONCE` at a time; if one call fails, the others are cancelled."""
    results: dict[int, T] = {}
    numbers = iter(range(len(items)))

    async def work() -> None:
        for number in numbers:
            results[number] = await function(items[number])

    await all_of(work() for _ in range(min(AT_ONCE, len(items))))
    return [results[number] for number in range(len(items))]


class _LoopThread:
    """The thread, its loop, and what runs there. It does not refer to the `IOThread`, which can thus be dropped."""

    def __init__(
        self, queue: RemoteQueue | None, storages: Sequence[Storage], state: LinkState, budget: int
    ) -> None:
        self._loop = _new_loop()
        self._closing = asyncio.Event()
        self._timeout = CLOSE_SECONDS
        self._pid = os.getpid()
        self._stop_lock = threading.Lock()
        self._queue = queue
        self._scheduled = (storages.__getitem__, state, budget)
        # A stuck read must not keep the interpreter from ending; `stop` is tried before that.
        self._thread = threading.Thread(target=self._run, name="ddfast-storage", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        with self._stop_lock:
            if self._loop.is_closed():
                raise ClosedError("the reader is closed")
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def stop(self, timeout: float) -> bool:
        """Cancel everything, and wait for the end, `timeout` seconds at most. Returns whether the thread has ended."""
        if self._pid != os.getpid():  # at the end of a forked child, where the thread does not exist
            return True
        until = time.monotonic() + timeout
        with self._stop_lock:
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
            with self._stop_lock:
                self._loop.close()
            asyncio.set_event_loop(None)

    async def _serve(self) -> None:
        scheduler = Scheduler(self._queue, *self._scheduled) if self._queue is not None else None
        try:
            await self._closing.wait()
        finally:
            if scheduler is not None:
                await scheduler.close(self._timeout)
            await _cancel_all_others(self._timeout)
            await pending.settle()
            await self._loop.shutdown_asyncgens()


async def _cancel_all_others(timeout: float) -> None:
    """Cancel all other tasks of this loop, and wait for them."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=timeout)


def _new_loop() -> asyncio.AbstractEventLoop:
    """An event loop, of uvloop if that is installed: it takes less processor time for each read."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
