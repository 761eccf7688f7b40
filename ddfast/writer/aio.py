"""The writers for an event loop: the same contract and the same files as those of the blocking ones."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import aiofiles

from ddfast._util.event_loop import require_event_loop
from ddfast.batch import Batch
from ddfast.errors import EventLoopError
from ddfast.writer.base import BaseWriter
from ddfast.writer.index_files import IndexFile

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class AsyncWriter(BaseWriter):
    """Writes a dataset without blocking the event loop.

    Use it in an ``async with`` statement. Parameters, errors and promises are those of ``Writer``; a cancelled block is
    like one that raises. Several tasks may write at a time; samples are in the order of the calls. Hashing, writing
    and making the index are done in threads; packing is not.

    The question whether to overwrite is asked in the constructor, and blocks the loop until it is answered. Servers
    should pass ``overwrite=True``, or check for an existing dataset first.

    Without a running event loop of asyncio, for example on trio, ``async with``, ``close`` and ``discard`` raise
    `EventLoopError`.
    """

    _closing = False
    _last: asyncio.Task[None] | None = None  # writes the last chunk
    _opening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._is_managed = True
        try:
            self._require_event_loop()
        except EventLoopError:
            self._abandon()
            raise
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

    @abstractmethod
    async def write(self, *args: Any) -> None:
        """Write one sample; errors as those of ``Writer.write``.

        A cancelled call has still added its sample.
        """

    async def flush(self) -> None:
        """Write all samples to the draft now. See ``Writer.flush``."""
        await self._require_open()
        await self._wait_for_chunk(await self._start_chunk(flush=True))

    async def close(self) -> None:
        """Write the remaining samples and the index, and give all files their names. Does nothing the second time.

        Raises:
            CancelledError: the dataset is discarded; or it is complete, if the files were being renamed.
            OSError: as of ``Writer.close``.
        """
        if self._closing:
            return
        self._require_event_loop()
        await self._raise_failure()
        if self._end is not None:
            return
        self._closing = True
        try:
            await _complete(self._prepare())
        except BaseException:
            await self._give_up()
            raise
        await _complete(asyncio.to_thread(self._publish))

    async def discard(self) -> None:
        """Remove what was written. Does nothing after ``close``."""
        self._require_event_loop()
        await _complete(self._stop_tasks(self._remove))

    async def _write(self, key: Any, sample: Any) -> None:
        """Pack a sample and write it."""
        await self._require_open()
        if self._samples.add(key, sample):
            await self._advance()

    async def _write_data(self, key: Any, packed: Any) -> None:
        """Write a packed sample."""
        await self._require_open()
        if self._samples.add_packed(key, packed):
            await self._advance()

    async def _write_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> None:
        """Write packed samples."""
        await self._require_open()
        if self._samples.add_many(keys, samples):
            await self._advance()

    def _require_event_loop(self) -> None:
        """Raise EventLoopError before a coroutine is made that could not be awaited."""
        name = type(self).__name__
        require_event_loop(name, name.removeprefix("Async"))

    async def _require_open(self) -> None:
        if self._closing or self._end is not None:
            await self._raise_failure()
            raise self._closed()
        if not self._is_ready:
            await self._open()

    async def _raise_failure(self) -> None:
        """Raise the error of an earlier chunk, unless it was raised already."""
        if self._end is not None and self._last is not None:
            last, self._last = self._last, None
            await _wait(last)

    async def _advance(self) -> None:
        self._show_progress()
        if self._samples.is_full:
            await self._start_chunk()

    async def _start_chunk(self, flush: bool = False) -> asyncio.Task[None]:
        """Start to write a chunk, and wait for the one before it. With `flush`, it is then flushed."""
        self._require_event_loop()
        self._unwritten.take()
        before, last = self._last, asyncio.create_task(self._put(self._last, flush))
        self._last = last
        if before is not None:
            await self._wait_for_chunk(before)
        return last

    async def _wait_for_chunk(self, chunk: asyncio.Task[None]) -> None:
        try:
            await _wait(chunk)
        except Exception:
            await self._give_up()
            raise

    async def _put(self, before: asyncio.Task[None] | None, flush: bool) -> None:
        if before is not None:
            await before
        if self._end is None:
            await asyncio.to_thread(self._write_chunks)
            if flush:
                await asyncio.to_thread(self._flush_destination)

    async def _open(self) -> None:
        """Restore the samples of an earlier writer, or append to a dataset, unless that is done."""
        if not self._is_ready:
            if self._opening is None:
                self._require_event_loop()
                self._opening = asyncio.create_task(self._restore())
            await _wait(self._opening)

    async def _restore(self) -> None:
        await asyncio.to_thread(self._begin)
        old = self._destination.old_samples(self._samples)
        while (found := await asyncio.to_thread(next, old, None)) is not None:
            self._samples.add_many(*found)
            if self._samples.is_full:
                self._unwritten.take()
                await asyncio.to_thread(self._write_chunks)
        self._is_ready = True

    async def _prepare(self) -> None:
        """Complete the dataset, except for the final names."""
        await self._open()
        if self._last is not None:
            await self._last
        self._unwritten.take()
        await asyncio.to_thread(self._write_chunks)
        try:
            await _write_files(self._index_files())
        except OSError as error:
            await asyncio.to_thread(self._fail, error)

    async def _give_up(self) -> None:
        await _complete(self._stop_tasks(self._abandon))

    async def _stop_tasks(self, end: Callable[[], None]) -> None:
        for task in (self._opening, self._last):
            if task is not None:
                await asyncio.wait([task])  # a file is not closed while it is written to
                _retrieve_exception(task)
        self._last = None
        await asyncio.to_thread(end)


class AsyncFileWriter(AsyncWriter):
    """Writes samples: dicts with a unique string under ``"key"``. See ``FileWriter``."""

    async def write(self, sample: dict[str, Any]) -> None:
        """Pack a sample and write it. Parameters and errors are those of ``FileWriter.write``."""
        await self._write(self._samples.key_of(sample), sample)


class AsyncRawWriter(AsyncWriter):
    """Writes packed samples. See ``RawWriter``."""

    async def write(self, key: str, data: Any) -> None:
        """Write a packed sample as it is. Parameters and errors are those of ``RawWriter.write``."""
        await self._write_data(key, data)

    async def write_many(self, keys: Iterable[str], samples: Batch | Sequence[Any]) -> None:
        """Write packed samples as they are. Parameters and errors are those of ``RawWriter.write_many``."""
        await self._write_many(keys, samples)


async def _write_files(files: Iterator[IndexFile]) -> None:
    """Write small files one after the other; their contents are made in a thread."""
    while (found := await asyncio.to_thread(next, files, None)) is not None:
        async with aiofiles.open(found.path, "wb", opener=found.create) as file:
            await file.write(found.content)


async def _complete(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end even if the caller is cancelled, which is then cancelled afterwards."""
    return await _wait(asyncio.ensure_future(work))


async def _wait(task: asyncio.Task[T]) -> T:
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        _retrieve_exception(task)
        raise cancelled
    return task.result()


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Prevent asyncio from logging an exception that was not retrieved."""
    if not task.cancelled():
        task.exception()
