"""The contract of a storage: one object of bytes, which does not change, in a file or a store."""

from __future__ import annotations

import asyncio
import mmap
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ddfast._util.secrets import Secrets
from ddfast.errors import ClosedError, DatasetReplacedError, StorageError
from ddfast.storage.urls import shown

if TYPE_CHECKING:
    from typing_extensions import Self

Span = tuple[int, int]  # [start, stop), in bytes

T = TypeVar("T")

# From this size on, memory comes from the system directly.
LARGE = 1 << 20


class Stat(NamedTuple):
    """Identifies one version of an object.

    Attributes:
        size: bytes.
        version: its ETag, or a substitute such as the time of the last change; None if the storage has neither.
    """

    size: int
    version: str | None


class Storage(ABC):
    """One object of bytes, such as a file. Several threads and tasks may read it at once.

    All reads return bytes of the version that was seen first. If an answer shows that the object has been replaced,
    the read fails. A storage works only in the process that opened it. Pickling sends URL and options, and the
    receiver opens the object again.

    Every read is one attempt; `StorageError.passing` tells whether another attempt may succeed.

    Parameters:
        url: of the object.
        options: of the implementation.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.options = options
        self._name = shown(url)  # used by every read
        self._pid = os.getpid()
        self._is_closed = False
        self._seen: Stat | None = None
        self._seen_lock = threading.Lock()

    @property
    def name(self) -> str:
        """The URL without secrets (passwords and query), for messages."""
        return self._name

    @property
    def _secrets(self) -> Secrets:
        """The secrets of its URL and options, which messages must not contain."""
        return Secrets(self.url, self.options)

    @property
    def seen(self) -> Stat | None:
        """Size and version that the first `stat` or read found; None before. Sends no request."""
        return self._seen

    @abstractmethod
    def stat(self) -> Stat:
        """Request size and version.

        Raises:
            StorageNotFoundError: the object does not exist.
            StorageDeniedError: access was denied.
            DatasetReplacedError: the object was replaced since it was first seen.
            StorageError: any other failure.
            ClosedError: the storage is closed, or was opened by another process.
        """

    @abstractmethod
    async def stat_async(self) -> Stat:
        """As `stat`."""

    @abstractmethod
    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read ranges of bytes, each into a buffer of its length.

        All buffers are filled when this returns. When it raises, some may be.

        Parameters:
            spans: ``(start, stop)``, in bytes; in any order, and they may overlap.
            into: as many writable buffers.

        Raises:
            ValueError: a buffer does not have the length of its span, or a span is invalid.
            StorageError: as `stat`; also if a span ends after the end of the object.
            ClosedError: the storage is closed, or was opened by another process.
        """

    @abstractmethod
    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read`. Nothing writes to the buffers after it was cancelled."""

    def read_at_hand(self, spans: Sequence[Span], into: Sequence[memoryview]) -> bool:
        """As `read`, if all bytes are in the memory of this machine: sends no request, and does not block.

        Returns:
            False if they are not; the contents of the buffers are undefined then. Storages that keep nothing return
            False always.
        """
        return False

    async def read_over_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read_async`, also reading the bytes between the spans, by one request where the storage can.

        Parameters:
            spans: at least one, in order and without overlap.
            into: as many writable buffers of bytes.
        """
        hull = spans[0][0], spans[-1][1]
        whole = memory_for(hull[1] - hull[0], self.name)
        await self.read_async([hull], [whole])
        scatter(whole, hull[0], spans, into)

    def read_all(self) -> memoryview:
        """The whole object, in read-only memory, by one request where the storage can. Errors as `read`."""
        whole = memory_for(self.stat().size, self.name)
        self.read([(0, len(whole))], [whole])
        return whole.toreadonly()

    async def read_all_async(self) -> memoryview:
        """As `read_all`."""
        whole = memory_for((await self.stat_async()).size, self.name)
        await self.read_async([(0, len(whole))], [whole])
        return whole.toreadonly()

    @abstractmethod
    def beside(self, suffix: str) -> Self:
        """Open the object whose name is longer by a suffix, with the same options and connections.

        Each storage has to be closed.
        """

    def close(self) -> None:
        """Release files and connections. Reads under way end within a bounded time. May be repeated."""
        self._is_closed = True

    async def close_async(self) -> None:
        """As `close`."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close_async()

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (type(self), self.url, self.options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def check_usable(self) -> None:
        """Raise `ClosedError` if the storage is closed, or was opened before a fork."""
        if self._is_closed:
            raise ClosedError(f"{self.name}: the storage is closed")
        if self._pid != os.getpid():
            raise ClosedError(
                f"{self.name}: the storage was opened by process {self._pid} and cannot be used in process "
                f"{os.getpid()}, which was forked from it. Open it again after the fork."
            )

    def note(self, stat: Stat, span: Span | None = None) -> Stat:
        """Remember size and version the first time, and compare with them after that.

        Raises:
            DatasetReplacedError: they differ.
        """
        with self._seen_lock:
            if self._seen is None:
                self._seen = stat
            seen = self._seen
        if stat != seen:
            raise self.replaced(f"{_describe(seen)}, and has {_describe(stat)} now", span)
        return stat

    def replaced(self, how: str, span: Span | None = None) -> DatasetReplacedError:
        """The error for an object that was replaced."""
        return DatasetReplacedError(
            f"{self.name} was replaced while it was in use: it had {how}. Open it again to read the new version.",
            url=self.name,
            span=span,
        )


def _open_again(kind: type[Storage], url: str, options: dict[str, Any]) -> Storage:
    return kind(url, **options)


def memory_for(size: int, name: str) -> memoryview:
    """Memory for bytes of an object. A large one takes none before it is written to: its size may be wrong.

    Raises:
        StorageError: there is not enough memory.
    """
    if size < LARGE:
        return memoryview(bytearray(size))
    try:
        return memoryview(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANON))
    except (OSError, OverflowError, ValueError) as error:
        reason = (
            f"{size:,} bytes of {name} do not fit into memory. Check that the server reports its correct size"
        )
        raise StorageError(reason, url=name) from error


def scatter(whole: memoryview, first: int, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
    """Copy spans of an object into their buffers, from the bytes of it that begin at position `first`."""
    for (start, stop), target in zip(spans, into, strict=True):
        target[:] = whole[start - first : stop - first]


def _describe(stat: Stat) -> str:
    return f"{stat.size:,} bytes" + ("" if stat.version is None else f" (version {stat.version})")


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never suspends, because everything that it awaits blocks.

    So blocking and asynchronous methods share one implementation, which is given the way to wait.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking read awaited an event loop")


async def all_of(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of coroutines that run at the same time; if one fails, or this is cancelled, the others are."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def paired(spans: Sequence[Span], into: Sequence[memoryview]) -> list[tuple[Span, memoryview]]:
    """Spans with their buffers as plain bytes, without empty spans.

    Raises:
        ValueError: a buffer does not have the length of its span, or a span is invalid.
    """
    if len(spans) != len(into):
        raise ValueError(f"{len(spans)} spans and {len(into)} buffers: each span needs one buffer")
    pairs = []
    for (start, stop), buffer in zip(spans, into, strict=True):
        target = memoryview(buffer).cast("B")
        if not 0 <= start <= stop or target.nbytes != stop - start or target.readonly:
            raise ValueError(
                f"bytes {start} to {stop} cannot be read into a buffer of {target.nbytes} bytes"
                + (" that is read-only" if target.readonly else "")
            )
        if start < stop:
            pairs.append(((start, stop), target))
    return pairs
