"""Storages for tests: bytes in memory or in a file, which count requests and fail on demand."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ddfast.storage.base import Span, Stat, Storage


class CountingStorage(Storage):
    """An object in memory.

    Attributes:
        asked: spans of all reads.
        reached: set when the first read has begun.
        before: called with the spans before a read; may block, or raise.
        before_async: the same for asynchronous reads.
    """

    def __init__(
        self, content: bytes, version: str | None = "1", url: str = "memory://object", **options
    ) -> None:
        super().__init__(url, **options)
        self.content = content
        self.version = version
        self.asked: list[list[Span]] = []
        self.reached = threading.Event()
        self.stats = 0
        self.before: Callable[[Sequence[Span]], None] = lambda spans: None
        self.before_async: Callable[[Sequence[Span]], object] | None = None
        self.others: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __reduce__(self):
        return type(self), (self.content, self.version, self.url)

    @property
    def fetched(self) -> int:
        """Bytes that were read."""
        return sum(stop - start for spans in self.asked for start, stop in spans)

    def stat(self) -> Stat:
        self.stats += 1
        return self.note(Stat(len(self.content), self.version))

    async def stat_async(self) -> Stat:
        return self.stat()

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        with self._lock:
            self.asked.append(list(spans))
        self.reached.set()
        self.before(spans)
        self._fill(spans, into)

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        self.asked.append(list(spans))
        if self.before_async is not None:
            await self.before_async(spans)
        await asyncio.sleep(0)
        self._fill(spans, into)

    def _fill(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        for (start, stop), memory in zip(spans, into, strict=True):
            memory[:] = self.content[start:stop]

    def beside(self, suffix: str) -> CountingStorage:
        return CountingStorage(self.others[suffix], self.version, self.url + suffix)


class FileStorage(CountingStorage):
    """The bytes of a file, which any process can open."""

    def __init__(self, path: str) -> None:
        super().__init__(Path(path).read_bytes(), "1", f"file://{path}")
        self.path = path

    def __reduce__(self):
        return type(self), (self.path,)


def read(storage: Storage, *spans: Span) -> list[bytes]:
    """The bytes of spans."""
    buffers = [bytearray(stop - start) for start, stop in spans]
    storage.read(spans, [memoryview(buffer) for buffer in buffers])
    return [bytes(buffer) for buffer in buffers]


async def read_async(storage: Storage, *spans: Span) -> list[bytes]:
    """The bytes of spans, read asynchronously."""
    buffers = [bytearray(stop - start) for start, stop in spans]
    await storage.read_async(spans, [memoryview(buffer) for buffer in buffers])
    return [bytes(buffer) for buffer in buffers]


def pseudo_random(size: int, seed: int = 0) -> bytes:
    """Reproducible random bytes."""
    return np.random.default_rng(seed).bytes(size)


def open_files() -> set[str]:
    """Targets of the file descriptors of this process."""
    found = set()
    for link in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.add(str(link.readlink()))
    return found
