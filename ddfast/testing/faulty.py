"""A storage that does what storage that is far away does."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ddfast.errors import ClosedError, StorageError
from ddfast.storage import LocalStorage, Span
from ddfast.storage.backends.local import OpenFile

# A stall ends with the storage, or after this.
LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Fault:
    """What happens to one read.

    Parameters:
        kind: ``"error"`` of the system; ``"short"``: only half arrives; ``"slow"``: it takes a while; ``"stall"``: it
            takes until the storage is closed; ``"replaced"``: the object is another by now; ``"refused"``: the server
            asks to wait.
        errno: of an ``"error"``.
        seconds: of a ``"slow"`` read, or to wait after a ``"refused"`` one.
    """

    kind: Literal["error", "short", "slow", "stall", "replaced", "refused"]
    errno: int = errno.EIO
    seconds: float = 0.0


@dataclass(frozen=True)
class Every:
    """A fault at every n-th read, beginning with that at `first`.

    Parameters:
        n: from 1, which means all.
        fault: what happens.
        first: number of the first read that it happens to, from 0.
        times: how often.
    """

    n: int
    fault: Fault
    first: int = 0
    times: int = 1 << 62

    def __call__(self, number: int, span: Span) -> Fault | None:
        """The fault of a read, if it has one."""
        turn, rest = divmod(number - self.first, self.n)
        return self.fault if rest == 0 and 0 <= turn < self.times else None


class FaultyStorage(LocalStorage):
    """A file whose reads fail as they are told.

    Every span is a read of its own. The object beside has the same faults, counted on its own.

    Parameters:
        url: a path.
        faults: says what happens to a read: called with its number, from 0, and its span; gives a `Fault` or None.
        latency: seconds that every read takes.

    Attributes:
        reads: the spans that were asked for, in order.
        bytes_read: how many bytes were given.
        most_in_flight: how many reads there were at once, at most.
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
        """End what is stalled, and close the file."""
        self._closing.set()
        super().close()

    async def close_async(self) -> None:
        """As `close`."""
        self._closing.set()
        await super().close_async()

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
                f"{url}: half of bytes {span[0]} to {span[1]} came", url=url, span=span, passing=True
            )
        if fault.kind == "refused":
            raise StorageError(
                f"{url}: too many requests", url=url, span=span, passing=True, retry_after=fault.seconds
            )
        self._closing.wait(fault.seconds if fault.kind == "slow" else LONGEST_SECONDS)
        if self._closing.is_set():
            raise ClosedError(f"{url}: the storage is closed")
