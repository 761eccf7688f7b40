"""Writers for programs on an event loop: the contract of the blocking ones, and the same files."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ddfast.batch import Batch
from ddfast.writer.book import Piece
from ddfast.writer.making import Making

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class AsyncWriter(ABC):
    """Writes a dataset without keeping the event loop from other work.

    Use it in an ``async with`` statement. All that is said of ``Writer`` holds, for cancellation as for any
    other exception. Several tasks may write at a time; samples are in the order of the calls. What may take
    long (hashing, writing, making the index) is done in threads; packing is not.

    The question whether to overwrite is asked when the writer is made, and holds up the loop until it is
    answered: servers want to say ``overwrite=True``, or look for themselves.

    Parameters:
        outfile: path of the data file; missing folders are made. Or its URL: then the dataset is sent in
            parts while samples come, and nobody can go on with it (``resume``, ``append``).
        buffering: for compatibility; samples are always written in pieces of 1 MiB.
        overwrite: replace what exists without asking.
        resume: go on with what a writer left that died or was stopped, if there is such a thing. ``written`` and
            ``key in writer`` tell what is there. An exception in the block keeps what was written.
        append: begin with the samples of the dataset that exists; it stays as it is until the new one is complete.
        checksums: also write a file ``.xxh3`` with a checksum of each sample.
        storage_options: for a URL, what `ddfast.storage.open_upload` takes besides.
        kwargs: for ``ddfast.tools.make_printer``: ``total``, ``desc``, ``disable`` and so on.

    Raises:
        DatasetBusyError: another writer is at work on the same dataset; of a URL, told by ``close``.
        ValueError: a URL, and ``resume`` or ``append``.
        StorageError: the storage refuses; raised by all methods that write.
    """

    def __init__(
        self,
        outfile: str | os.PathLike[str],
        buffering: int = 0,
        overwrite: bool = False,
        *,
        resume: bool = False,
        append: bool = False,
        checksums: bool = True,
        storage_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._making = Making(outfile, overwrite, resume, append, checksums, storage_options, kwargs)
        self._book = self._making.book
        self._closing = False
        self._last: asyncio.Task[None] | None = None  # what is on its way to the files
        self._opening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._give_up()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            await self._give_up()

    def __contains__(self, key: object) -> bool:
        """Whether a sample with this key is written."""
        return key in self._book

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._making.target.where!r}: {self.written:,} samples>"

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
        if self._closing:
            return
        await self._tell_failure()
        if self._making.end is not None:
            return
        self._closing = True
        try:
            await _complete(self._prepare())
        except BaseException:
            await self._give_up()
            raise
        await _complete(asyncio.to_thread(self._making.publish))

    async def discard(self) -> None:
        """Give the dataset up: remove what was written. Nothing happens after ``close``."""
        await _complete(self._stop(self._making.discard))

    async def _write(self, key: Any, sample: Any) -> None:
        """Pack a sample and write it."""
        await self._require_open()
        if self._book.enter(key, sample):
            await self._advance()

    async def _write_data(self, key: Any, packed: Any) -> None:
        """Write a sample that is packed already."""
        await self._require_open()
        if self._book.enter_packed(key, packed):
            await self._advance()

    async def _write_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> None:
        """Write samples that are packed already."""
        await self._require_open()
        if self._book.enter_many(keys, samples):
            await self._advance()

    async def _require_open(self) -> None:
        if self._closing or self._making.end is not None:
            await self._tell_failure()
            raise self._making.closed()
        if not self._making.is_ready:
            await self._open()

    async def _tell_failure(self) -> None:
        """Raise what a write beside the program has met, unless somebody was told already."""
        if self._making.end is not None and self._last is not None:
            last, self._last = self._last, None
            await _wait(last)

    async def _advance(self) -> None:
        self._making.show()
        if self._book.is_full:
            await self._flush()

    async def _flush(self) -> None:
        """Send a piece on its way, and wait for the one before it."""
        before, self._last = self._last, asyncio.create_task(self._put(self._last, self._book.take()))
        if before is not None:
            try:
                await _wait(before)
            except Exception:
                await self._give_up()
                raise

    async def _put(self, before: asyncio.Task[None] | None, piece: Piece) -> None:
        if before is not None:
            await before
        if self._making.end is None:
            await asyncio.to_thread(self._making.flush, piece)

    async def _open(self) -> None:
        """Go on with what is there already, if that is wanted."""
        if not self._making.is_ready:
            if self._opening is None:
                self._opening = asyncio.create_task(self._begin())
            await _wait(self._opening)

    async def _begin(self) -> None:
        await asyncio.to_thread(self._making.begin)
        old = self._making.old_samples()
        while (found := await asyncio.to_thread(next, old, None)) is not None:
            self._book.enter_many(*found)
            if self._book.is_full:
                await asyncio.to_thread(self._making.flush, self._book.take())
        self._making.is_ready = True

    async def _prepare(self) -> None:
        await self._open()
        if self._last is not None:
            await self._last
        await asyncio.to_thread(self._making.prepare)

    async def _give_up(self) -> None:
        await _complete(self._stop(self._making.give_up))

    async def _stop(self, end: Callable[[], None]) -> None:
        for task in (self._opening, self._last):
            if task is not None:
                await asyncio.wait([task])  # nobody closes a file that is being written to
                _look_at(task)
        self._last = None
        await asyncio.to_thread(end)


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
