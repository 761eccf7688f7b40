"""Waiting for fetches and for blocking work without blocking the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast._util.event_loop import require_event_loop

__all__ = ["FetchNotifier", "run_in_thread"]

T = TypeVar("T")


class FetchNotifier:
    """Wakes the coroutines of one event loop that wait for fetches of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiters: set[asyncio.Future[None]] = set()

    async def wait(self, fetch: Fetch, seconds: float) -> None:
        """Wait until any fetch completes, for `seconds` at most. Returns immediately if this one is complete."""
        loop = require_event_loop("AsyncReader", "MsgpackReader")
        waiter: asyncio.Future[None] = loop.create_future()
        if not self._waiters:
            loop.add_reader(self._engine.fileno(), self.notify)
        self._waiters.add(waiter)
        timer = loop.call_later(seconds, _wake, waiter)
        try:
            self._engine.arm()
            if not fetch.done:
                await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)
            if not self._waiters:
                loop.remove_reader(self._engine.fileno())

    def notify(self) -> None:
        """Wake all waiting coroutines; each checks whether its own fetch is complete."""
        self._engine.clear()
        for waiter in self._waiters:
            _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a separate thread."""
    loop = require_event_loop("AsyncReader", "MsgpackReader")
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)  # type: ignore[arg-type]
        else:
            result.set_exception(error)

    def run() -> None:
        value: T | None = None
        failure: BaseException | None = None
        try:
            value = work()
        except BaseException as error:  # raised by the caller
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=run, name="ddfast-work", daemon=True).start()
    return await result
