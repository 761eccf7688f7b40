"""Leaving a process while obstore has a hand in it.

A request of obstore's asynchronous functions ends on one of its own threads, which takes the GIL to wake the loop. It
lets go of it to write to the loop's socket and takes it again; by then the loop may have ended, the program too, and a
thread that asks an interpreter for the GIL when that is being taken down aborts the process. So the end of the program
waits until no such thread is inside Python. A request that was cancelled is seen nowhere; those are given a moment.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import time
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

LONGEST_SECONDS = 1.0
AFTER_CANCELLING_SECONDS = 0.1
STEP_SECONDS = 0.001


class Requests:
    """The requests of this process that are with obstore."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Start anew: the threads stay behind in a fork."""
        self._pending = 0
        self._was_used = False
        self._cancelled_at = float("-inf")

    async def wait_for(self, request: Awaitable[T]) -> T:
        """The result of a request."""
        with self._lock:
            self._pending += 1
            self._was_used = True
        try:
            return await request
        except asyncio.CancelledError:
            self._cancelled_at = time.monotonic()
            raise
        finally:
            with self._lock:
                self._pending -= 1

    def drain(self) -> None:
        """Wait until obstore's threads have left Python, for a second at most."""
        if not self._was_used:
            return
        deadline = time.monotonic() + LONGEST_SECONDS
        while self._is_busy() and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)

    def _is_busy(self) -> bool:
        recently = time.monotonic() - self._cancelled_at < AFTER_CANCELLING_SECONDS
        return self._pending > 0 or recently or _strangers_inside_asyncio()


def _strangers_inside_asyncio() -> bool:
    """Whether a thread that Python did not start is waking a loop."""
    own = {thread.ident for thread in threading.enumerate()}
    folder = f"{os.sep}asyncio{os.sep}"
    return any(
        folder in frame.f_code.co_filename
        for ident, frame in sys._current_frames().items()
        if ident not in own
    )


requests = Requests()
atexit.register(requests.drain)
os.register_at_fork(after_in_child=requests.forget)
