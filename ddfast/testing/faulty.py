"""A storage that fails in the ways in which remote storage fails."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ddfast.errors import ClosedError, StorageError
from ddfast.storage import LocalStorage, Span
from ddfast.storage.backends.files import OpenFile

# A stall ends when the storage is closed, or after this time.
LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Fault:
    """What happens to one read.

    Parameters:
        kind: ``"error"``: the system call fails; ``"short"``: only half of the bytes arrive; ``"slow"``: it is delayed;
            ``"stall"``: it does not end before the storage is closed; ``"replaced"``: the object was replaced;
            ``"refused"``: the server asks to wait.
        errno: of an ``"error"``.
        seconds: delay of a ``"slow"`` read, or time to wait after a ``"refused"`` one.
    """

    kind: Literal["error", "short", "slow", "stall", "replaced", "refused"]
    errno: int = errno.EIO
    seconds: float = 0.0


@dataclass(frozen=True)
class Every:
    """A fault of every n-th read.

    Parameters:
        n: at least 1; 1 is every read.
        fault: the fault.
        first: number of the first read that fails, from 0.
        times: number of reads that fail.
    """

    n: int
    fault: Fault
    first: int = 0
    times: int = 1 << 62

    def __call__(self, number: int, span: Span) -> Fault | None:
        """The fault of a read; None if it succeeds."""
        turn, rest = divmod(number - self.first, self.n)
        return self.fault if rest == 0 and 0 <= turn < self.times else None


class FaultyStorage(LocalStorage):
    """A file whose reads fail on demand.

    Every span is a separate read. Objects with longer names have the same faults; their reads are counted separately.

    Parameters:
        url: a path.
        faults: called with the number of a read, from 0, and its span; returns a `Fault`, or None.
        latency: delay of every read, in seconds.

    Attributes:
        reads: the requested spans, in order.
        bytes_read: number of bytes that were read.
        most_in_flight: maximum number of concurrent reads.
    """

    def __init__(
        self,
        url: str | os.PathLike[str],
        *,
        faults: Callable[[int, Span], Fault | None] | None = None,
        latency: float = 0.0,
    ) -> None:
        super().__init__(url)
        self.options: dict[str, Any] = {"faults": faults, "latency": latency}
        self._faults = faults
        self._latency = latency
        self._counting = threading.Lock()
        self._closing = threading.Event()
        self._in_flight = 0
        self.reads: list[Span] = []
        self.bytes_read = 0
        self.most_in_flight = 0

    def close(self) -> None:
        """End stalled reads, and close the file."""
        self._closing.set()
        super().close()

    def _fill(self, file: OpenFile, span: Span, target: memoryview) -> None:
        with self._counting:
            number = len(self.reads)
            self.reads.append(span)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            self._closing.wait(self._latency)
            fault = self._faults(number, span) if self._faults is not None else None
            if fault is not None:
                self._suffer(fault, file, span, target)
            super()._fill(file, span, target)
        finally:
            with self._counting:
                self._in_flight -= 1
        with self._counting:
            self.bytes_read += len(target)

    def _suffer(self, fault: Fault, file: OpenFile, span: Span, target: memoryview) -> None:
        url, half = self.name, len(target) // 2
        if fault.kind == "error":
            raise OSError(fault.errno, os.strerror(fault.errno))
        if fault.kind == "replaced":
            raise self.replaced("another version", span)
        if fault.kind == "short":
            super()._fill(file, (span[0], span[0] + half), target[:half])
            raise StorageError(
                f"{url}: half of bytes {span[0]} to {span[1]} arrived", url=url, span=span, passing=True
            )
        if fault.kind == "refused":
            raise StorageError(
                f"{url}: too many requests", url=url, span=span, passing=True, retry_after=fault.seconds
            )
        self._closing.wait(fault.seconds if fault.kind == "slow" else LONGEST_SECONDS)
        if self._closing.is_set():
            raise ClosedError(f"{url}: the storage is closed")
