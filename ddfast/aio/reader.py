"""The asynchronous reader."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import ArrayLike

from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast.batch import Batch
from ddfast.dataset.base import Dataset, Verify, check_verify
from ddfast.dataset.location import Source, is_plain, name_of
from ddfast.dataset.open import open_dataset
from ddfast.dataset.options import CACHE_BYTES, PREFETCH_BYTES, READ_TIMEOUT, RemoteOptions
from ddfast.errors import ClosedError, DdfastError
from ddfast.loading.fetcher import STOP_SECONDS, Fetcher, Patience
from ddfast.loading.on_error import BadSample, OnError, Policy
from ddfast.loading.options import IO, check_columns, check_reading
from ddfast.loading.order import Shuffle
from ddfast.loading.stats import ReaderStats
from ddfast.loading.stream import Stream

if TYPE_CHECKING:
    from ddfast.storage.transfer.retry import RetryPolicy as Attempts

__all__ = ["AsyncReader", "BatchStream", "SampleStream"]

T = TypeVar("T")

# A loop over batches that are always ready gives way to other tasks this often, so that timeouts and cancellation work.
GIVE_WAY_SECONDS = 0.005

# Samples that `samples` fetches together.
RUN_BYTES = 256 << 10
RUN_SAMPLES = 256


class AsyncReader:
    """Reads a dataset without blocking the event loop, and fetches batches ahead while the program computes.

    ::

        async with AsyncReader("train.msgpack") as reader:
            async for batch in reader.batches(256, shuffle=True, seed=7):
                batch["label"]

    Works on asyncio's own event loop and on uvloop. Several streams of one reader share its reads in flight and its
    memory. Use it within one event loop. Files are opened, and errors raised, when it is entered.

    Parameters:
        path: the data file, a path or a URL (see `ddfast.storage.open_storage`); or a pattern such as
            ``"train/*.msgpack"``, whose matches are sorted by name, or a list of data files, which are read as one
            dataset: of thousands, only those that are being read are open.
        prefetch_bytes: memory for batches that are fetched ahead, and for those that the program keeps (the latest one
            excepted). One batch is fetched in any case, however large.
        queue_depth: reads in flight at most; None: 32, and 64 where a mounted file system is far and reads are small;
            for a URL as many as the link is worth, 256 at most.
        columns: names of the columns that batches have; None for all.
        allow_pickle: unpickle arrays of dtype object. Unpickling runs whatever code the file asks for.
        timeout: seconds without any read completing after which storage is given up; for a URL, seconds after which a
            read is, all attempts included.
        io: what waits for storage: ``"threads"``, or ``"uring"``, one thread with Linux's io_uring;
            ``"direct"`` is threads that read past the page cache (O_DIRECT): for datasets that memory cannot hold, at a
            fraction of the processor time, but slower where the cache has them; ``"auto"`` is threads.
        verify: ``"sample"`` holds every sample that is read against its checksum in ``<path>.xxh3``; one whose bytes
            are not those that were written is a CorruptSampleError.
        on_error: what streams do with damaged samples, see `ddfast.policy`: ``"raise"`` their error, ``"skip"`` them,
            or a function to ask, which is called in the event loop's thread.
        storage_options: for a URL, what `ddfast.storage.open_storage` takes besides: credentials, ``endpoint``,
            ``client_options`` and the like.
        cache: for a URL, a folder to keep what was read in; later passes, and other processes, read it there.
        cache_bytes: what that folder may take of the disk; what was not used for longest leaves it.
        attempts: for a URL, a `ddfast.storage.Policy` of attempts, pauses and second requests, instead of `timeout`.

    Raises:
        ValueError: `on_error` is none of these.
        UnsupportedIOError: `io` is ``"uring"``, and the system does not let this program use io_uring.
        DatasetNotFoundError: there is no data file, or no index, or nothing matches the pattern.
        IndexFileError: the index is damaged or belongs to another data file.
        ChecksumsNotFoundError: samples are to be verified, and there are no checksums.
    """

    def __init__(
        self,
        path: Source,
        *,
        prefetch_bytes: int = PREFETCH_BYTES,
        queue_depth: int | None = None,
        columns: Sequence[str] | None = None,
        allow_pickle: bool = False,
        timeout: float = READ_TIMEOUT,
        io: IO = "auto",
        verify: Verify | None = None,
        on_error: OnError = "raise",
        storage_options: Mapping[str, Any] | None = None,
        cache: str | os.PathLike[str] | None = None,
        cache_bytes: int = CACHE_BYTES,
        attempts: Attempts | None = None,
    ) -> None:
        self._policy = Policy(on_error)
        check_reading(prefetch_bytes, queue_depth, timeout, io)
        self._remote = RemoteOptions(
            storage_options, cache, cache_bytes, attempts, prefetch_bytes, queue_depth, timeout
        )
        self._source = path if isinstance(path, str | os.PathLike) else [os.fspath(item) for item in path]
        self.path = name_of(self._source, self._source if isinstance(self._source, list) else [])
        self._prefetch_bytes = prefetch_bytes
        self._queue_depth = queue_depth
        self._columns = check_columns(columns)
        self._allow_pickle = allow_pickle
        self._timeout = timeout
        self._io: IO = io
        self._verify = check_verify(verify)
        self._fetcher: Fetcher | None = None
        self._doorbell: Doorbell | None = None

    # -- life

    async def __aenter__(self) -> AsyncReader:
        if self._fetcher is not None:
            raise ClosedError(f"the reader of {self.path} is open already")
        dataset = await self._open_dataset()
        self._policy.tally.watch(dataset.wire)
        self._fetcher = Fetcher(
            dataset, self._prefetch_bytes, self._queue_depth, self._timeout, self._io, self._policy
        )
        self._doorbell = Doorbell(self._fetcher.engine)
        return self

    async def _open_dataset(self) -> Dataset:
        opening = partial(
            open_dataset,
            self._source,
            allow_pickle=self._allow_pickle,
            verify=self._verify,
            remote=self._remote,
        )
        if is_plain(self._source):
            return opening()
        return await _in_thread(opening)  # many files to look at, or requests to wait for

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give up all reads, end all threads and close all files. Batches stay valid."""
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is None:
            return
        deadline = time.monotonic() + STOP_SECONDS
        while not fetcher.close(0.01) and time.monotonic() < deadline:  # noqa: ASYNC110 - threads end, no task
            await asyncio.sleep(0.01)
        if self._doorbell is not None:
            self._doorbell.ring()
            self._doorbell = None
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
        """What it has done so far, in numbers; any time, also when it is closed."""
        return self._policy.tally.total()

    @property
    def quarantine(self) -> tuple[BadSample, ...]:
        """The damaged samples that streams have left out, each once, in the order in which they were first due."""
        return self._policy.quarantine

    # -- keys

    def keys(self) -> Sequence[str]:
        """Keys of all samples, in order; each is read from the keys file when it is used."""
        return self._open().dataset.keys

    async def find_index(self, key: str) -> int:
        """Index of the sample with this key. The first call builds a table, in a thread of its own.

        Raises:
            SampleKeyError: there is none.
        """
        dataset = self._open().dataset
        if not dataset.key_table_once.is_made:
            await _in_thread(lambda: dataset.key_table)
        return dataset.find_index(key)

    # -- samples

    async def get(self, index: int, *, raw: bool = False) -> Any:
        """One sample; packed, as bytes, with ``raw=True``. Negative indices count from the end.

        Raises:
            SampleIndexError: there is no such sample.
            CorruptSampleError: it is damaged.
        """
        batch = await self._fetch_batch([self._open().dataset.position(index)], (), tables=False)
        return bytes(batch.raw(0)) if raw else batch.decode(0)

    async def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        """Samples at any indices, read together.

        Parameters:
            indices: sample indices in any order, shape ``(n,)``; negative ones count from the end.
            columns: names of the columns that the batch has; None for those of the reader.
            raw: no columns, and packed samples.

        Raises:
            SampleIndexError: there is no such sample.
            CorruptSampleError: one of the samples is damaged.
        """
        return await self._fetch_batch(indices, self._selection(columns), tables=not raw)

    async def _fetch_batch(self, indices: ArrayLike, columns: Sequence[str] | None, tables: bool) -> Batch:
        fetcher = self._open()
        positions = fetcher.dataset.positions(indices)
        if len(positions) == 0:
            return Batch.empty(fetcher.dataset)
        fetch = fetcher.fetch(positions, columns, tables)
        fetch.submit()
        await self._wait(fetcher, fetch)
        fetcher.count_reads(fetch)
        batch = fetcher.batch(fetch)
        self._policy.tally.add_batch(batch)
        return batch

    # -- streams

    def batches(
        self,
        batch_size: int,
        *,
        indices: ArrayLike | None = None,
        shuffle: Shuffle = False,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
        columns: Sequence[str] | None = None,
        raw: bool = False,
    ) -> BatchStream:
        """One pass over the dataset, in batches that are fetched ahead and come in order.

        The order of samples depends on the dataset, `shuffle`, `seed` and `epoch` alone. A damaged sample raises when
        its batch is due, unless `on_error` says otherwise; asking for the next one goes on behind it.

        Parameters:
            batch_size: samples of a batch.
            indices: visit these samples in this order, any number of times each, instead of the whole dataset; shape
                ``(n,)``, negative ones count from the end.
            shuffle: False for the order of the file; True for a true shuffle; ``"block"`` for one that reads blocks of
                about 1 MiB and mixes the samples of 64 blocks at a time, for storage on which small reads are slow.
            seed, epoch: choose the shuffled order.
            start: position in the order to begin at, for resuming: how many samples all ranks together have had.
            rank, world_size: deliver one rank's part. In each step the ranks take `batch_size` samples each, rank 0
                first, so that all ranks together walk the same order whatever their number.
            drop_last: leave out the last step if it is not full. Otherwise the ranks share it evenly.
            columns: names of the columns to build; None for those of the reader. ``()`` builds none, for programs that
                use samples only.
            raw: no columns, and packed samples, unchecked.

        Raises:
            ValueError: an argument is out of range.
        """
        stream = self._open().stream(
            batch_size,
            indices=indices,
            shuffle=shuffle,
            seed=seed,
            epoch=epoch,
            start=start,
            rank=rank,
            world_size=world_size,
            drop_last=drop_last,
            columns=self._selection(columns),
            raw=raw,
        )
        return BatchStream(self, stream)

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
        """One pass over the dataset, sample by sample; decoded, or packed as memoryviews with ``raw=True``.

        Parameters as those of `batches`; of several ranks, each takes one sample in turn.
        """
        dataset = self._open().dataset
        run = max(1, min(RUN_SAMPLES, RUN_BYTES * len(dataset) // max(1, dataset.data_size)))
        batches = self.batches(
            run if world_size == 1 else 1,
            indices=indices,
            shuffle=shuffle,
            seed=seed,
            epoch=epoch,
            start=start,
            rank=rank,
            world_size=world_size,
            raw=True,
        )
        return SampleStream(batches, raw, self._policy, dataset)

    def _selection(self, columns: Sequence[str] | None) -> tuple[str, ...] | None:
        return self._columns if columns is None else check_columns(columns)

    async def _wait(self, fetcher: Fetcher, fetch: Fetch) -> None:
        """Sleep until a fetch is done.

        Raises:
            StorageTimeoutError: no read has completed for too long.
        """
        patience, begin = Patience(fetcher), time.monotonic()
        try:
            while not fetch.done:
                if self._doorbell is None or self._fetcher is not fetcher:
                    raise ClosedError(f"the reader of {self.path} was closed while it was read from")
                patience.check()
                await self._doorbell.wait(fetch, fetcher.timeout / 4)
        finally:
            fetcher.count_wait(begin)


class Doorbell:
    """Wakes coroutines of one event loop when fetches complete."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiters: set[asyncio.Future[None]] = set()

    async def wait(self, fetch: Fetch, seconds: float) -> None:
        """Sleep until some fetch completes, at most for a time. Returns at once if this one has."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        if not self._waiters:
            loop.add_reader(self._engine.fileno(), self.ring)
        self._waiters.add(waiter)
        timer = loop.call_later(seconds, _wake, waiter)
        try:
            self._engine.arm()
            if not fetch.done:
                await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)
            if not self._waiters:
                loop.remove_reader(self._engine.fileno())

    def ring(self) -> None:
        """Wake all who wait: each looks whether its own fetch is done."""
        self._engine.clear()
        for waiter in self._waiters:
            _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that ends with it."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)  # type: ignore[arg-type]
        else:
            result.set_exception(error)

    def run() -> None:
        value: T | None = None
        failure: BaseException | None = None
        try:
            value = work()
        except BaseException as error:  # handed to whoever waits
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=run, name="ddfast-work", daemon=True).start()
    return await result


class BatchStream(AsyncIterator[Batch]):
    """Asynchronous iterator over batches. ``len`` is the number of batches of the whole pass.

    Leaving the loop needs no clean-up: reads ahead are given up when the stream is dropped or closed.
    """

    def __init__(self, reader: AsyncReader, stream: Stream) -> None:
        self._reader = reader
        self._stream = stream
        self._slept = time.monotonic()

    def __len__(self) -> int:
        return len(self._stream)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} batches>"

    async def __anext__(self) -> Batch:
        stream = self._stream
        if time.monotonic() - self._slept > GIVE_WAY_SECONDS:
            await asyncio.sleep(0)
            self._slept = time.monotonic()
        while (batch := stream.take()) is None:
            head = stream.head
            if head is None:
                raise StopAsyncIteration
            await self._reader._wait(stream.fetcher, head)
            self._slept = time.monotonic()
        return batch

    async def aclose(self) -> None:
        """Give up what is fetched ahead."""
        self._stream.close()


class SampleStream(AsyncIterator[Any]):
    """Asynchronous iterator over samples. ``len`` is not known; leaving the loop needs no clean-up."""

    def __init__(self, batches: BatchStream, raw: bool, policy: Policy, dataset: Dataset) -> None:
        self._batches = batches
        self._raw = raw
        self._policy = policy
        self._dataset = dataset
        self._batch: Batch | None = None
        self._at = 0

    async def __anext__(self) -> Any:
        while True:
            while self._batch is None or self._at == len(self._batch):
                self._batch = None
                self._batch = await self._batches.__anext__()
                self._at = 0
            position = self._at
            self._at += 1
            if self._raw:
                return self._batch.raw(position)
            try:
                return self._batch.decode(position)
            except DdfastError as error:
                self._policy.pass_over(error, self._dataset, int(self._batch.indices[position]))

    async def aclose(self) -> None:
        """Give up what is fetched ahead."""
        self._batch = None
        await self._batches.aclose()
