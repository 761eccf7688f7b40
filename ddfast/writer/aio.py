"""Writers for programs on an event loop: the contract of the blocking ones, and the same files."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import aiofiles

from ddfast.batch import Batch
from ddfast.errors import ClosedError
from ddfast.writer.book import Book
from ddfast.writer.draft import Draft, claim
from ddfast.writer.indexing import discard
from ddfast.writer.progress import Progress

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

T = TypeVar("T")


class AsyncWriter(ABC):
    """Writes a dataset without keeping the event loop from other work.

    Use it in an ``async with`` statement. All that is said of ``Writer`` holds, for cancellation as for any
    other exception. Several tasks may write at a time; samples are in the order of the calls. What may take
    long (hashing, writing, making the index) is done in threads; packing is not.

    The question whether to overwrite is asked when the writer is made, and holds up the loop until it is
    answered: servers want to say ``overwrite=True``, or look for themselves.

    Parameters:
        outfile: path of the data file; missing folders are made.
        buffering: for compatibility; samples are always written in pieces of 1 MiB.
        overwrite: replace what exists without asking.
        kwargs: for ``ddfast.tools.make_printer``: ``total``, ``desc``, ``disable`` and so on.
    """

    def __init__(
        self, outfile: str | os.PathLike[str], buffering: int = 0, overwrite: bool = False, **kwargs: Any
    ) -> None:
        self._path = claim(outfile, overwrite)
        self._draft = Draft(self._path)
        self._book = Book(self._path, kwargs.get("total"))
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._progress = Progress(self._path.name, kwargs)
        self._end: str | None = None  # why there is nothing more to write
        self._file: Any = None
        self._last: asyncio.Task[None] | None = None  # the last piece on its way to the file
        self._cleanup = weakref.finalize(self, discard, self._draft.files, os.getpid())

    async def __aenter__(self) -> Self:
        try:
            await _complete(self._open())
        except BaseException:
            await self.discard()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            await self.discard()

    @property
    def written(self) -> int:
        """Number of samples so far."""
        return len(self._book)

    @abstractmethod
    async def write(self, *args: Any) -> None:
        """Write one sample; errors as those of ``Writer.write``.

        A call that is cancelled has taken its sample all the same.
        """

    async def close(self) -> None:
        """Write what is missing and give all files their names. Nothing happens the second time.

        Raises:
            CancelledError: the dataset is given up; or it is complete, if it was just getting its names.
            OSError: as of ``Writer.close``.
        """
        if self._end is not None:
            return
        self._end = "it is closed"
        try:
            await _complete(self._prepare())
        except BaseException:
            await _complete(self._remove())
            raise
        self._cleanup.detach()
        await _complete(asyncio.to_thread(self._draft.publish))
        self._progress.close(self.written, finished=True)

    async def discard(self) -> None:
        """Give the dataset up: remove what was written. Nothing happens after ``close``."""
        if self._end is None:
            self._end = "its dataset was given up"
            await _complete(self._remove())

    async def _write(self, key: Any, sample: Any) -> None:
        """Pack a sample and write it."""
        if self._end is not None:
            raise self._closed()
        if self._book.enter(key, sample) or monotonic() >= self._progress.due:
            await self._advance()

    async def _write_data(self, key: Any, packed: Any) -> None:
        """Write a sample that is packed already."""
        if self._end is not None:
            raise self._closed()
        if self._book.enter_packed(key, packed) or monotonic() >= self._progress.due:
            await self._advance()

    async def _write_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> None:
        """Write samples that are packed already."""
        if self._end is not None:
            raise self._closed()
        if self._book.enter_many(keys, samples) or monotonic() >= self._progress.due:
            await self._advance()

    async def _advance(self) -> None:
        if monotonic() >= self._progress.due:
            self._progress.show(self.written)
        if self._book.is_full:
            await self._flush()

    async def _flush(self) -> None:
        """Send a piece on its way, and wait for the one before it."""
        before = self._last
        self._last = asyncio.create_task(self._put(before, self._book.take()))
        if before is None:
            return
        try:
            await _wait(before)
        except Exception:
            await self.discard()
            raise

    async def _put(self, before: asyncio.Task[None] | None, pieces: list[Buffer]) -> None:
        """Hash and write pieces, both at a time."""
        if before is not None:
            await before
        await self._open()
        hashed = asyncio.to_thread(self._hash, pieces)
        for result in await asyncio.gather(hashed, self._save(pieces), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _open(self) -> None:
        if self._file is None:
            self._file = await aiofiles.open(self._draft.data, "xb", 0)

    def _hash(self, pieces: list[Buffer]) -> None:
        for piece in pieces:
            self._md5.update(piece)

    async def _save(self, pieces: list[Buffer]) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[await self._file.write(rest) :]

    async def _prepare(self) -> None:
        await self._put(self._last, self._book.take())
        await self._file.close()
        await asyncio.to_thread(self._draft.prepare, self._book, self._md5.hexdigest())

    async def _remove(self) -> None:
        if self._last is not None:
            await asyncio.wait([self._last])  # nobody closes a file that is being written to
            _look_at(self._last)
        if self._file is not None:
            with contextlib.suppress(OSError):
                await self._file.close()
        await asyncio.to_thread(self._cleanup)
        self._progress.close(self.written, finished=False)

    def _closed(self) -> ClosedError:
        return ClosedError(f"{self._path}: the writer takes no more samples, {self._end}. Open another one")


class AsyncFileWriter(AsyncWriter):
    """Writes samples: dicts with a string ``"key"`` that no other sample has. See ``FileWriter``."""

    async def write(self, sample: dict[str, Any]) -> None:
        """Pack a sample and write it. Parameters and errors are those of ``FileWriter.write``."""
        await self._write(self._book.key_of(sample), sample)


class AsyncRawWriter(AsyncWriter):
    """Writes samples that are packed already. See ``RawWriter``."""

    async def write(self, key: str, data: Any) -> None:
        """Write a packed sample as it is. Parameters and errors are those of ``RawWriter.write``."""
        await self._write_data(key, data)

    async def write_many(self, keys: Iterable[str], samples: Batch | Sequence[Any]) -> None:
        """Write packed samples as they are. Parameters and errors are those of ``RawWriter.write_many``."""
        await self._write_many(keys, samples)


async def _complete(work: Coroutine[Any, Any, T]) -> T:
    """Do work to the end, even if the caller is cancelled meanwhile: then tell it afterwards."""
    return await _wait(asyncio.ensure_future(work))


async def _wait(task: asyncio.Task[T]) -> T:
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        _look_at(task)
        raise cancelled
    return task.result()


def _look_at(task: asyncio.Task[Any]) -> None:
    """Keep asyncio from complaining that nobody looked at a task's exception."""
    if not task.cancelled():
        task.exception()
