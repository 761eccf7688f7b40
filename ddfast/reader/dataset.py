"""Readers whose samples the engine reads from files."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast._util.once import lazy
from ddfast.dataset.base import Dataset, Verify, check_verify
from ddfast.dataset.location import shown_name
from ddfast.dataset.options import CACHE_BYTES, RemoteOptions
from ddfast.errors import KernelError, PickleRefusedError, SampleIndexError
from ddfast.loading.on_error import OnError, Place
from ddfast.loading.options import IO, check_columns, check_reading
from ddfast.reader.abc import Reader
from ddfast.reader.form import Form

# Not imported before the first batch, see `ddfast.reader.abc`.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ddfast.batch import Batch
    from ddfast.loading.fetcher import Fetcher
    from ddfast.loading.order import Shuffle
    from ddfast.reader.ahead import Packed
    from ddfast.reader.batches import Batches
    from ddfast.storage.transfer.retry import RetryPolicy as Attempts

__all__ = ["DatasetReader"]

# Samples read and decoded at once when iterating. Large ones go one by one, so that the memory of the last is still in
# the processor's cache when the next needs it.
CHUNK_BYTES = 64 << 10


class DatasetReader(Reader):
    """Reads a dataset that is opened when it is first used, and again after it was closed.

    Parameters:
        name: what to call it.
        allow_pickle, prefetch_bytes, queue_depth, columns, timeout, io, verify, on_error: see
            `ddfast.reader.MsgpackReader`.
        storage_options, cache, cache_bytes, attempts: likewise.
    """

    # A copy shares what is open, so that it reads the same dataset even where that was replaced on disk.
    _do_not_copy = ("_fetcher",)

    def __init__(
        self,
        name: str,
        *,
        allow_pickle: bool,
        prefetch_bytes: int,
        queue_depth: int | None,
        columns: Sequence[str] | None,
        timeout: float,
        io: IO,
        verify: Verify | None,
        on_error: OnError,
        storage_options: Mapping[str, Any] | None = None,
        cache: str | os.PathLike[str] | None = None,
        cache_bytes: int = CACHE_BYTES,
        attempts: Attempts | None = None,
    ) -> None:
        super().__init__(on_error=on_error)
        check_reading(prefetch_bytes, queue_depth, timeout, io)
        self._remote = RemoteOptions(
            storage_options, cache, cache_bytes, attempts, prefetch_bytes, queue_depth, timeout
        )
        self._name = name
        self._allow_pickle = allow_pickle
        self._prefetch_bytes = prefetch_bytes
        self._queue_depth = queue_depth
        self._columns = check_columns(columns)
        self._timeout = timeout
        self._io: IO = io
        self._verify = check_verify(verify)
        self._len = len(self._dataset)

    @abstractmethod
    def _open_dataset(self) -> Dataset:
        """Open what is read."""

    @lazy
    def _dataset(self) -> Dataset:
        dataset = self._open_dataset()
        self._len = len(dataset)
        self._policy.tally.watch(dataset.wire)
        return dataset

    @lazy
    def _fetcher(self) -> Fetcher:
        from ddfast.loading.fetcher import Fetcher

        return Fetcher(
            self._dataset, self._prefetch_bytes, self._queue_depth, self._timeout, self._io, self._policy
        )

    def _own_fetcher(self) -> Fetcher:
        """The fetcher, made anew in a forked child."""
        if not self._fetcher.is_ours:
            self.__dict__.pop("_fetcher", None)
        return self._fetcher

    # -- life

    def __len__(self) -> int:
        return len(self._dataset)

    def close(self) -> None:
        """Close all files and end all threads. Batches stay valid."""
        fetcher = self.__dict__.pop("_fetcher", None)
        if fetcher is not None:
            fetcher.close()
        dataset = self.__dict__.pop("_dataset", None)
        if dataset is not None:
            dataset.close()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_dataset", "_fetcher")}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {shown_name(self._name)!r}: {self._len:,} samples>"

    def _place(self, index: int) -> Place:
        return self._dataset.place(index)

    # -- keys

    def keys(self) -> Sequence[str]:
        """Keys of all samples, in order; each is read from the keys file when it is used."""
        return self._dataset.keys

    def find_key(self, index: int) -> str:
        return self._dataset.key_at(index)

    def find_index(self, key: str) -> int:
        return self._dataset.find_index(key)

    def __contains__(self, key: object) -> bool:
        return self._dataset.search(key) >= 0  # type: ignore[arg-type]

    # -- samples

    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any:
        dataset = self._dataset
        try:
            sample = dataset.samples.raw(index) if raw else dataset.samples.get(index)
        except (KernelError, OSError, PickleRefusedError) as error:
            if index < 0:
                return self.get(dataset.position(index), yield_key, raw, copy)
            raise dataset.explain(error, index) from error
        except OverflowError:
            raise SampleIndexError(f"index {index} out of range for length {len(self)} reader") from None
        if raw and not copy:
            sample = memoryview(sample)
        return (self.find_key(index), sample) if yield_key else sample

    def slice(
        self,
        start: int,
        stop: int | None = None,
        yield_key: bool = False,
        raw: bool = False,
        copy: bool = True,
    ) -> Iterator[Any]:
        start, stop, _ = slice(start, stop).indices(len(self))
        size = max(1, stop - start)
        if self._policy.is_strict:
            return self._iter_impl(start, stop, yield_key, raw, copy, size)
        from ddfast.reader.lenient import given, in_range

        return given(in_range(self, start, stop, Form(yield_key, raw, copy), size))

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        dataset = self._dataset
        if dataset.is_remote:
            import numpy as np

            from ddfast.reader.ahead import samples_at

            yield from samples_at(self, np.arange(start, stop), Form(yield_key, raw, copy))
            return
        while start < stop:
            chunk = self._chunk(dataset, start, stop, raw, copy)
            if yield_key:
                yield from zip(dataset.keys[start : start + len(chunk)], chunk, strict=True)
            else:
                yield from chunk
            start += len(chunk)

    def _chunk(self, dataset: Dataset, start: int, stop: int, raw: bool, copy: bool) -> Sequence[Any]:
        """Some samples from `start` on, at least one; those before a damaged one where there is one."""
        samples = dataset.samples
        try:
            end = samples.fit(start, stop, CHUNK_BYTES)
            if raw:
                return samples.raw_range(start, end, copy)
            return samples.decode_range(start, end)
        except (KernelError, OSError, PickleRefusedError):
            return [self.get(start, raw=raw, copy=copy)]  # names the sample, if it is the one

    # -- batches

    @property
    def _packed(self) -> Packed | None:  # type: ignore[override]
        if type(self).get is not DatasetReader.get:  # samples are more than what is in the file
            return None
        from ddfast.reader.ahead import Packed

        dataset = self._dataset
        mean = dataset.data_size / max(1, len(dataset))
        return Packed(dataset, mean, self._columns, dataset.samples.is_ready, self._strict_batches)

    def _strict_batches(self, batch_size: int, indices: NDArray[np.int64]) -> Batches:
        return self._stream_batches(batch_size, indices=indices, raw=True, strict=True)

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        fetcher = self._own_fetcher()
        positions = self._dataset.positions(indices)
        if len(positions) == 0:
            from ddfast.batch import Batch

            return Batch.empty(self._dataset)
        fetch = fetcher.fetch(positions, self._selection(columns), not raw)
        if not fetch.run(0):
            fetcher.wait(fetch)
        fetcher.count_reads(fetch)
        batch = fetcher.batch(fetch)
        self._policy.tally.add_batch(batch)
        return batch

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
    ) -> Batches:
        return self._stream_batches(
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

    def _stream_batches(self, batch_size: int, **arguments: Any) -> Batches:
        from ddfast.reader.batches import StreamBatches

        return StreamBatches(self._own_fetcher().stream(batch_size, **arguments))

    def _selection(self, columns: Sequence[str] | None) -> tuple[str, ...] | None:
        return self._columns if columns is None else check_columns(columns)
