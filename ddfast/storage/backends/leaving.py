"""Leaving a process while obstore has a hand in it.

A request of obstore's asynchronous functions ends on one of its own threads, which takes the GIL to give the result to
the loop, and lets go of it while it writes to the loop's socket. By then the loop may have ended, and the program
too; a thread that asks for the GIL of an interpreter that is being taken down aborts the process. So the end of the
program waits until those threads are done. It sees that by the futures, to which they refer as long as they have
something to do, even where a request was cancelled, and by the frames of threads that Python did not start.

In a fork, obstore's threads are gone, and whatever it is asked for there would never be answered; see `begin`.

A loop that ends right after requests were cancelled is called once more by those threads, which print that it is
closed; so whoever closes a storage waits for those, too.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable
from typing import TypeVar
from weakref import ref

from ddfast.errors import UnsupportedIOError

T = TypeVar("T")

LONGEST_SECONDS = 1.0
STEP_SECONDS = 0.005
# Requests that may be with obstore still; those before have ended long ago.
LATEST = 8192


class Requests:
    """The requests of this process that are with obstore."""

    def __init__(self) -> None:
        self._was_used = self._is_orphan = False
        self.forget()

    def forget(self) -> None:
        """Start anew in a fork, where the threads of the requests before are not."""
        self._is_orphan = self._is_orphan or self._was_used
        # Each is looked at once, at the end: a WeakSet would cost more than all else that is done for a request here.
        self._futures: deque[ref[asyncio.Future[object]]] = deque(maxlen=LATEST)
        self._was_used = False

    def begin(self, url: str) -> None:
        """To be called before obstore is asked for anything that takes its threads.

        Raises:
            UnsupportedIOError: this process was forked from one that had used obstore.
        """
        if self._is_orphan:
            raise UnsupportedIOError(
                f"{url} cannot be read in process {os.getpid()}: it was forked from one that had used obstore, whose "
                "threads are not in it. Start processes with 'spawn' or 'forkserver' "
                "(multiprocessing.set_start_method, multiprocessing_context of a DataLoader), or before the first read."
            )
        self._was_used = True

    async def wait_for(self, request: Awaitable[T]) -> T:
        """The result of a request."""
        self._futures.append(ref(request))  # type: ignore[arg-type]  # obstore's stubs say less than there is
        try:
            return await request
        finally:
            del request  # the traceback of an error would keep it, as if obstore did

    async def settle(self) -> None:
        """Wait until obstore is done with what was cancelled, for a second at most."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while self._has_cancelled() and time.monotonic() < deadline:  # noqa: ASYNC110  # nothing tells when
            await asyncio.sleep(STEP_SECONDS)

    def _has_cancelled(self) -> bool:
        return any(future.cancelled() for future in self._alive())

    def _alive(self) -> list[asyncio.Future[object]]:
        if self._futures:
            _let_go()
        return [future for each in tuple(self._futures) if (future := each()) is not None]

    def drain(self) -> None:
        """Wait until obstore's threads have left Python, for a second at most."""
        if not self._was_used:
            return
        deadline = time.monotonic() + LONGEST_SECONDS
        gc.collect()  # a future in a cycle says nothing
        while self._is_busy() and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)
        time.sleep(STEP_SECONDS)  # who has just let go of the last future takes the GIL once more to end

    def _is_busy(self) -> bool:
        return len(self._alive()) > 0 or _strangers_inside_asyncio()


def _let_go() -> None:
    """Have obstore give back the futures that its threads are done with.

    Where they do not have the GIL, they leave that to the next call of any of its functions.
    """
    from obstore.store import MemoryStore

    MemoryStore()


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
