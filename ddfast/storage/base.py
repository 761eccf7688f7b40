"""The contract of a storage: one object of bytes that does not change, wherever it is."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from ddfast.errors import ClosedError, DatasetReplacedError
from ddfast.storage.urls import shown

if TYPE_CHECKING:
    from typing_extensions import Self

Span = tuple[int, int]  # [start, stop), in bytes


class Stat(NamedTuple):
    """What tells an object from another.

    Attributes:
        size: bytes.
        version: its ETag, or what stands for it; None if the storage has nothing of the kind.
    """

    size: int
    version: str | None


class Storage(ABC):
    """One object of bytes, such as a file, that is read by several threads or tasks at once.

    What is read belongs to the version that was seen first: as soon as an answer shows that the object is another by
    now, it is refused. A storage works in the process that made it only. It can be pickled, as its URL and options,
    and is opened anew where it arrives.

    Every read is one attempt; `StorageError.passing` tells whether another may help.

    Parameters:
        url: of the object.
        options: what the implementation needs to know besides.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.options = options
        self._name = shown(url)  # looked at for each read
        self._pid = os.getpid()
        self._is_closed = False
        self._seen: Stat | None = None
        self._seeing = threading.Lock()

    @property
    def name(self) -> str:
        """The URL as it may be shown: without passwords and query."""
        return self._name

    @property
    def seen(self) -> Stat | None:
        """What the first `stat` or read learnt of the object; None before. Asks nobody."""
        return self._seen

    @abstractmethod
    def stat(self) -> Stat:
        """Ask for size and version.

        Raises:
            StorageNotFoundError: there is no such object.
            StorageDeniedError: it must not be looked at.
            DatasetReplacedError: it is another than it was when it was first seen.
            StorageError: anything else.
            ClosedError: the storage is closed, or of another process.
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
            ValueError: a buffer has not the length of its span, or a span is none.
            StorageError: as `stat`; a span that ends behind the object is refused as well.
            ClosedError: the storage is closed, or of another process.
        """

    @abstractmethod
    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read`. When it was cancelled, the buffers are not touched any more."""

    def read_at_hand(self, spans: Sequence[Span], into: Sequence[memoryview]) -> bool:
        """As `read`, where all of it is in this machine's memory: no request is sent, and nothing is waited for.

        Returns:
            False where it is not, and the buffers hold anything; so for a storage that keeps nothing.
        """
        return False

    async def read_over_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read_async`, by reading all from the first byte to the last, and what lies between the spans as well.

        Parameters:
            spans: at least one; in order, and none lies over another.
            into: as many writable buffers.
        """
        hull = spans[0][0], spans[-1][1]
        whole = memoryview(bytearray(hull[1] - hull[0]))
        await self.read_async([hull], [whole])
        scatter(whole, hull[0], spans, into)

    def read_all(self) -> memoryview:
        """The whole object, in read-only memory; where the storage can, with a single request. Errors as `read`."""
        whole = bytearray(self.stat().size)
        self.read([(0, len(whole))], [memoryview(whole)])
        return memoryview(whole).toreadonly()

    async def read_all_async(self) -> memoryview:
        """As `read_all`."""
        whole = bytearray((await self.stat_async()).size)
        await self.read_async([(0, len(whole))], [memoryview(whole)])
        return memoryview(whole).toreadonly()

    @abstractmethod
    def beside(self, suffix: str) -> Self:
        """Another object, whose name is longer by a suffix, with the same options and connections.

        Each of them is closed on its own.
        """

    def close(self) -> None:
        """Give back what the storage holds. Reads that are under way end within a bounded time. May be repeated."""
        self._is_closed = True

    async def close_async(self) -> None:
        """As `close`."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close_async()

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (type(self), self.url, self.options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def check_usable(self) -> None:
        """Raise `ClosedError` if the storage is closed, or was made before a fork."""
        if self._is_closed:
            raise ClosedError(f"{self.name}: the storage is closed")
        if self._pid != os.getpid():
            raise ClosedError(
                f"{self.name}: the storage was opened by process {self._pid} and is of no use in process "
                f"{os.getpid()}, which was forked from it. Open it again after the fork."
            )

    def note(self, stat: Stat, span: Span | None = None) -> Stat:
        """Remember what the object is, the first time; after that, make sure that it is the same.

        Raises:
            DatasetReplacedError: it is another.
        """
        with self._seeing:
            if self._seen is None:
                self._seen = stat
            seen = self._seen
        if stat != seen:
            raise self.replaced(f"{describe(seen)}, and has {describe(stat)} now", span)
        return stat

    def replaced(self, how: str, span: Span | None = None) -> DatasetReplacedError:
        """The error for an object that is another than it was."""
        return DatasetReplacedError(
            f"{self.name} was replaced while it was in use: it had {how}. Open it again to read the new one.",
            url=self.name,
            span=span,
        )


def _open_again(kind: type[Storage], url: str, options: dict[str, Any]) -> Storage:
    return kind(url, **options)


def scatter(whole: memoryview, first: int, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
    """Copy spans of what was read from position `first` on into their buffers."""
    for (start, stop), target in zip(spans, into, strict=True):
        target[:] = whole[start - first : stop - first]


def describe(stat: Stat) -> str:
    """Size and version in words."""
    return f"{stat.size:,} bytes" + ("" if stat.version is None else f" (version {stat.version})")


def paired(spans: Sequence[Span], into: Sequence[memoryview]) -> list[tuple[Span, memoryview]]:
    """Spans with their buffers as plain bytes, without those that are empty.

    Raises:
        ValueError: a buffer has not the length of its span, or a span is none.
    """
    if len(spans) != len(into):
        raise ValueError(f"{len(spans)} spans and {len(into)} buffers: each span needs one")
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
