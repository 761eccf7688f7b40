"""Stand-ins for a remote storage, which may be slow or faulty, and for an engine's queue of pieces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence

from ddfast.errors import StorageError
from ddfast.storage import Span, Stat, Storage
from ddfast.storage.transfer.io_thread import IOThread

URL = "memory://bucket/train.msgpack"


def passing(**more: object) -> StorageError:
    return StorageError(f"{URL} could not be read: connection reset", url=URL, passing=True, **more)  # type: ignore[arg-type]


class Memory(Storage):
    """An object in memory.

    Parameters:
        data: its bytes.
        deal: called with the number of the request, from 1; returns the delay of the answer in seconds, or raises.
    """

    def __init__(self, data: bytes, deal: Callable[[int], float] = lambda number: 0.0) -> None:
        super().__init__(URL)
        self.data = data
        self.deal = deal
        self.asked: list[list[Span]] = []
        self.cancelled = 0
        self.at_work = self.at_work_max = 0

    def stat(self) -> Stat:
        return self.note(Stat(len(self.data), "1"))

    async def stat_async(self) -> Stat:
        await self._deal([])
        return self.stat()

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        for (start, stop), view in zip(spans, into, strict=True):
            view[:] = self.data[start:stop]

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        self.at_work += 1
        self.at_work_max = max(self.at_work_max, self.at_work)
        try:
            await self._deal(list(spans))
            self.read(spans, into)
        finally:
            self.at_work -= 1

    async def _deal(self, spans: list[Span]) -> None:
        self.asked.append(spans)
        try:
            await asyncio.sleep(self.deal(len(self.asked)))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def beside(self, suffix: str) -> Memory:
        return self


class Piece(bytearray):
    """A piece of an engine: memory to be filled."""

    def __new__(cls, *args: object) -> Piece:
        return super().__new__(cls)

    def __init__(self, shard: int, start: int, stop: int) -> None:
        super().__init__(stop - start)
        self.shard, self.start, self.stop = shard, start, stop
        self.cancelled = False
        self.failure: tuple[int, str] | None = None
        self.ended = threading.Event()

    def end(self) -> None:
        assert not self.ended.is_set()
        self.ended.set()

    def fail(self, code: int, reason: str) -> None:
        self.failure = code, reason
        self.end()


class RemoteQueue:
    """A queue with the pieces that a test puts into it."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.closed = False
        self._armed = False
        self._lock = threading.Lock()
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK)

    def fileno(self) -> int:
        return self._reading

    def put(self, *pieces: Piece) -> None:
        with self._lock:
            self.pieces += pieces
            if self._armed:
                self._armed = False
                os.write(self._writing, b"!")

    def arm(self) -> None:
        with self._lock:
            self._armed = True

    def clear(self) -> None:
        with self._lock:
            self._armed = False
            with contextlib.suppress(BlockingIOError):
                os.read(self._reading, 64)

    def take(self, limit: int) -> list[Piece]:
        with self._lock:
            taken, self.pieces = self.pieces[:limit], self.pieces[limit:]
            return taken

    def close(self) -> None:
        self.closed = True

    def free(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


def read_span(io_thread: IOThread, storage: Storage, span: Span) -> bytearray:
    """The bytes of a span, read in an I/O thread."""
    data = bytearray(span[1] - span[0])
    io_thread.wait(io_thread.submit(io_thread.read(storage, span, memoryview(data))))
    return data
