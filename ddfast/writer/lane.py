"""Work that is done beside the caller, one piece after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# Jobs that may wait; the thread gets the GIL late where the caller never lets go of it.
MAX_WAITING = 8


class Lane:
    """A thread for jobs in order. None is done after one that failed.

    Parameters:
        name: of the thread, which starts with the first job.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: deque[Future[None]] = deque()
        self._failed = False

    def put(self, job: Callable[..., object], *args: Any) -> None:
        """Add a job. Waits where too many are waiting, and raises what an earlier one raised."""
        self._waiting.append(self._thread.submit(self._do, job, *args))
        while len(self._waiting) > MAX_WAITING or (self._waiting and self._waiting[0].done()):
            self._waiting.popleft().result()

    def finish(self) -> None:
        """Wait until all jobs are done. Raises what one of them raised."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """End the thread; jobs that wait are not done."""
        self._thread.shutdown(cancel_futures=True)

    def _do(self, job: Callable[..., object], *args: Any) -> None:
        if self._failed:
            return
        try:
            job(*args)
        except BaseException:
            self._failed = True
            raise
