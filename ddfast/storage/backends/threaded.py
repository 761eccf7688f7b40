"""The asynchronous side of a storage that can only be read by waiting for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from ddfast.storage.base import Span, Stat, Storage, paired

T = TypeVar("T")

THREADS = 32
# Reads that take longer than this when a storage is closed are left to end by themselves.
CLOSING_SECONDS = 5.0


class ThreadedStorage(Storage):
    """A storage whose `stat` and `read` are given; the asynchronous twins call them in threads."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[Future[Any]] = set()
        self._starting = threading.Lock()

    async def stat_async(self) -> Stat:
        """As `stat`, in a thread."""
        return await self._in_thread(self.stat)

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read`, in a thread.

        A thread cannot be stopped, and one whose read was given up must not touch memory that is used for something
        else by then: it is given some of its own.
        """
        paired(spans, into)
        own = [memoryview(bytearray(stop - start)) for start, stop in spans]
        await self._in_thread(self.read, spans, own)
        for target, data in zip(into, own, strict=True):
            memoryview(target).cast("B")[:] = data

    def close(self) -> None:
        """Wait for the threads, for some seconds at most."""
        super().close()
        wait(self._running_now(), CLOSING_SECONDS)
        self._end()

    async def close_async(self) -> None:
        """As `close`."""
        super().close()
        deadline = time.monotonic() + CLOSING_SECONDS
        while self._running_now() and time.monotonic() < deadline:  # noqa: ASYNC110  # they end in other threads
            await asyncio.sleep(0.005)
        self._end()

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        with self._starting:
            self.check_usable()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ddfast-storage")
            future = self._pool.submit(function, *arguments)
            self._running.add(future)
        future.add_done_callback(self._forget)
        return await asyncio.wrap_future(future)

    def _forget(self, future: Future[Any]) -> None:
        with self._starting:
            self._running.discard(future)

    def _running_now(self) -> set[Future[Any]]:
        with self._starting:
            return set(self._running)

    def _end(self) -> None:
        with self._starting:
            pool, self._pool = self._pool, None
            # A future is forgotten by its own thread, a moment after it is done.
            all_done = all(future.done() for future in self._running)
        if pool is not None:
            pool.shutdown(wait=all_done, cancel_futures=True)
