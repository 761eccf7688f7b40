"""The asynchronous reader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ddfast._native.fetch import Fetch
from ddfast._util.event_loop import require_event_loop
from ddfast._util.signatures import OptionsSignature
from ddfast.aio.streams import BatchStream, SampleStream
from ddfast.aio.waiting import FetchNotifier, run_in_thread
from ddfast.batch import Batch
from ddfast.dataset.base import BaseDataset
from ddfast.dataset.location import DatasetLocation, absolute_location, is_plain, name_of
from ddfast.dataset.open import open_dataset
from ddfast.errors import ClosedError
from ddfast.loading.batched import BatchedReader
from ddfast.loading.fetcher import STOP_SECONDS, Fetcher, StallTimeout
from ddfast.loading.on_error import BadSample, ErrorPolicy
from ddfast.loading.options import (
    BatchOptions,
    ReadArguments,
    ReadOptions,
    Shuffle,
    check_columns,
    read_options,
)
from ddfast.loading.stats import ReaderStats
from ddfast.loading.stream import open_stream

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AsyncReader", "BatchStream", "SampleStream"]

# Samples that `AsyncReader.samples` fetches together.
RUN_BYTES = 256 << 10
RUN_SAMPLES = 256


class AsyncReader(BatchedReader[BatchStream]):
    """Reads a dataset without blocking the event loop, and reads batches ahead while the program computes.

    ::

        async with AsyncReader("train.msgpack") as reader:
            async for batch in reader.batches(256, shuffle=True, seed=7):
                batch["label"]

    Works with asyncio's own event loop and with uvloop. Several streams of one reader share its reads in flight and its
    memory. Use a reader within one event loop. ``async with`` opens the files and raises errors of opening.

    Parameters:
        path: the data file, a path or a URL (see `ddfast.storage.open_storage`); or a pattern such as
            ``"train/*.msgpack"``, whose matches are sorted by name, or an iterable of data files. Several files are
            read as one dataset, and only those that are being read are open.
        arguments: as those of `ddfast.MsgpackReader`. `prefetch_bytes`, `queue_depth`, `timeout` and `io` apply to all
            reads. A function given as `on_error` is called in the thread of the event loop.

    Raises:
        TypeError, ValueError: an argument has a wrong type or is out of range.
        UnsupportedIOError: `io` is ``"uring"``, and the system does not allow this process to use io_uring.
        DatasetNotFoundError: there is no data file, or no index, or no file matches the pattern.
        IndexFileError: the index is damaged or belongs to another data file.
        ChecksumsNotFoundError: samples are to be verified, and there are no checksums.
        EventLoopError: from ``async with``: no event loop of asyncio is running, for example because trio is.
    """

    __signature__ = OptionsSignature(ReadOptions)

    def __init__(self, path: DatasetLocation, **arguments: Unpack[ReadArguments]) -> None:
        self._options = read_options(**arguments)
        self._policy = ErrorPolicy(self._options.on_error)
        self._location = absolute_location(path)
        self.path = name_of(self._location, self._location if isinstance(self._location, list) else [])
        self._fetcher: Fetcher | None = None
        self._notifier: FetchNotifier | None = None

    # -- life

    async def __aenter__(self) -> AsyncReader:
        if self._fetcher is not None:
            raise ClosedError(f"the reader of {self.path} is already open")
        require_event_loop("AsyncReader", "MsgpackReader")
        dataset = await self._open_dataset()
        self._policy.counters.add_transfers(dataset.transfers)
        self._fetcher = Fetcher(dataset, self._options, self._policy)
        self._notifier = FetchNotifier(self._fetcher.engine)
        return self

    async def _open_dataset(self) -> BaseDataset:
        options = self._options
        opening = partial(
            open_dataset,
            self._location,
            allow_pickle=options.allow_pickle,
            verify=options.verify,
            remote=options.remote,
        )
        if is_plain(self._location):
            return opening()
        return await run_in_thread(opening)  # examines many files, or waits for requests

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel all reads, end all threads and close all files. Batches stay valid."""
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is None:
            return
        deadline = time.monotonic() + STOP_SECONDS
        while not fetcher.close(0.01) and time.monotonic() < deadline:  # noqa: ASYNC110 - waits for threads, not for a task
            await asyncio.sleep(0.01)
        if self._notifier is not None:
            self._notifier.notify()
            self._notifier = None
        fetcher.dataset.close()

    def __len__(self) -> int:
        return len(self._open().dataset)

    def __repr__(self) -> str:
        state = "not open" if self._fetcher is None else f"{len(self):,} samples"
        return f"<{type(self).__name__} {self.path!r}: {state}>"

    def _open(self) -> Fetcher:
        if self._fetcher is None:
            raise ClosedError(f"the reader of {self.path} is not open; use it within `async with`")
        if not self._fetcher.is_ours:
            raise ClosedError(f"the reader of {self.path} was opened before a fork; open one in the child")
        return self._fetcher

    def stats(self) -> ReaderStats:
        """Counters of what the reader has done so far, also after it is closed."""
        return self._policy.counters.total()

    @property
    def quarantine(self) -> tuple[BadSample, ...]:
        """The damaged samples that streams have left out, each once, in the order in which they were first due."""
        return self._policy.quarantine

    # -- keys

    def keys(self) -> Sequence[str]:
        """Keys of all samples, in order; each is read from the keys file when it is used."""
        return self._open().dataset.keys

    async def find_index(self, key: str) -> int:
        """Index of the sample with this key. The first call builds a table, in a separate thread.

        Raises:
            SampleKeyError: no sample has this key.
        """
        dataset = self._open().dataset
        if not dataset.key_table_once.is_made:
            await run_in_thread(lambda: dataset.key_table)
        return dataset.find_index(key)

    # -- samples

    async def get(self, index: int, *, raw: bool = False) -> Any:
        """One sample, or with ``raw=True`` its packed bytes. Negative indices count from the end.

        Raises:
            SampleIndexError: the index is out of range.
            CorruptSampleError: the sample is damaged.
        """
        batch = await self._fetch_batch([self._open().dataset.position(index)], (), tables=False)
        return bytes(batch.raw(0)) if raw else batch.decode(0)

    async def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        """Samples at any indices, read together.

        Parameters:
            indices: sample indices in any order, shape ``(n,)``; negative indices count from the end.
            columns: names of the columns to build; None for those of the reader.
            raw: build no columns and return packed samples.

        Raises:
            SampleIndexError: an index is out of range.
            CorruptSampleError: a sample is damaged.
        """
        return await self._fetch_batch(indices, self._selection(check_columns(columns)), tables=not raw)

    async def _fetch_batch(self, indices: ArrayLike, columns: Sequence[str] | None, tables: bool) -> Batch:
        fetcher = self._open()
        positions = fetcher.dataset.positions(indices)
        if len(positions) == 0:
            return fetcher.known.empty(fetcher.dataset, columns, not tables)
        fetch = fetcher.fetch(positions, columns, tables)
        fetch.submit()
        await self._wait(fetcher, fetch)
        fetcher.count_reads(fetch)
        batch = fetcher.batch(fetch)
        self._policy.counters.add_batch(batch)
        if tables:
            fetcher.known.note(batch, columns)
        return batch

    # -- streams

    def _open_batches(self, options: BatchOptions) -> BatchStream:
        fetcher = self._open()
        options = options._replace(columns=self._selection(options.columns))
        return BatchStream(open_stream(fetcher, options), partial(self._wait, fetcher))

    def samples(
        self,
        *,
        indices: ArrayLike | None = None,
        shuffle: Shuffle = False,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        raw: bool = False,
    ) -> SampleStream:
        """One pass over the dataset, sample by sample: decoded, or with ``raw=True`` memoryviews of packed samples.

        The parameters are those of `batches`. With several ranks, they take one sample each in turn.
        """
        dataset = self._open().dataset
        run = max(1, min(RUN_SAMPLES, RUN_BYTES * len(dataset) // max(1, dataset.data_size)))
        batch_size = run if world_size == 1 else 1
        options = BatchOptions(batch_size, indices, shuffle, seed, epoch, start, rank, world_size, raw=True)
        return SampleStream(self._open_batches(options), raw, self._policy, dataset)

    def _selection(self, columns: Sequence[str] | None) -> Sequence[str] | None:
        return self._options.columns if columns is None else columns

    async def _wait(self, fetcher: Fetcher, fetch: Fetch) -> None:
        """Wait until a fetch is complete.

        Raises:
            StorageTimeoutError: no read has completed for the timeout of the reader.
            ClosedError: the reader was closed.
        """
        stall, begin = StallTimeout(fetcher), time.monotonic()
        try:
            while not fetch.done:
                if self._notifier is None or self._fetcher is not fetcher:
                    raise ClosedError(f"the reader of {self.path} was closed during a read")
                stall.check()
                await self._notifier.wait(fetch, fetcher.timeout / 4)
        finally:
            fetcher.count_wait(begin)
