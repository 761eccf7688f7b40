"""Work in a separate thread: a serial worker, and the MD5 digest of a data file that it computes."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Jobs in the queue: bounds memory, and the thread may get the GIL late if the caller rarely releases it.
MAX_QUEUED = 8


class SerialWorker:
    """A thread that runs jobs one after the other, and none after a job that raised.

    Parameters:
        name: of the thread, which starts with the first job.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._queued: deque[Future[None]] = deque()
        self._failed = False
        self._has_thread = True

    def put(self, job: Callable[..., object], *args: Any) -> None:
        """Add a job. Waits while the queue is full, and raises the error of an earlier job."""
        if self._has_thread:
            try:
                self._queued.append(self._thread.submit(self._run, job, *args))
            except RuntimeError:  # the interpreter is exiting
                self.leave_thread()
        if not self._has_thread:
            self._run(job, *args)
            return
        while len(self._queued) > MAX_QUEUED or (self._queued and self._queued[0].done()):
            self._queued.popleft().result()

    def wait(self) -> None:
        """Wait until all jobs are done. Raises the error of one of them."""
        while self._queued:
            self._queued.popleft().result()

    def leave_thread(self) -> None:
        """Wait until all jobs are done, and run later ones in the calling thread. Raises the error of a job."""
        self._has_thread = False
        self.wait()

    def close(self) -> None:
        """End the thread after the current job; jobs in the queue are not run."""
        self._thread.shutdown(cancel_futures=True)

    def _run(self, job: Callable[..., object], *args: Any) -> None:
        if self._failed:
            return
        try:
            job(*args)
        except BaseException:
            self._failed = True
            raise


class Digest:
    """MD5, computed in a thread: it takes longer than writing the data."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._worker = SerialWorker("ddfast-md5")

    def update(self, buffers: Iterable[Buffer]) -> None:
        """Add bytes. Waits while the queue of the thread is full."""
        self._worker.put(self._update, buffers)

    def hexdigest(self) -> str:
        """The digest of all bytes so far, in hexadecimal digits."""
        self._worker.wait()
        return self._md5.hexdigest()

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _update(self, buffers: Iterable[Buffer]) -> None:
        for buffer in buffers:
            self._md5.update(buffer)
