"""Readers whose samples the engine reads from files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any

from numpy.typing import ArrayLike

from ddfast.anydataset import AnyDataset
from ddfast.batch import Batch
from ddfast.errors import KernelError, PickleRefusedError, SampleIndexError
from ddfast.order import Shuffle
from ddfast.prefetch import IO, Fetcher, check_columns
from ddfast.reader.abc import Reader
from ddfast.reader.ahead import Packed
from ddfast.reader.batches import Batches, StreamBatches

__all__ = ["DatasetReader"]

# Samples read and decoded at once when iterating. Large ones go one by one, so that the memory of the last is still in
# the processor's cache when the next needs it.
CHUNK_BYTES = 64 << 10


class DatasetReader(Reader):
    """Reads a dataset that is opened when it is first used, and again after it was closed.

    Parameters:
        name: what to call it.
        allow_pickle, prefetch_bytes, queue_depth, columns, timeout, io: see `ddfast.reader.MsgpackReader`.
    """

    # A copy shares what is open, so that it reads the same dataset even where that was replaced on disk.
    _do_not_copy = ("_fetcher",)

    def __init__(
        self,
        name: str,
        *,
        allow_pickle: bool,
        prefetch_bytes: int,
        queue_depth: int,
        columns: Sequence[str] | None,
        timeout: float,
        io: IO,
    ) -> None:
        super().__init__()
        self._name = name
        self._allow_pickle = allow_pickle
        self._prefetch_bytes = prefetch_bytes
        self._queue_depth = queue_depth
        self._columns = check_columns(columns)
        self._timeout = timeout
        self._io: IO = io
        self._len = len(self._dataset)

    @abstractmethod
    def _open_dataset(self) -> AnyDataset:
        """Open what is read."""

    @cached_property
    def _dataset(self) -> AnyDataset:
        dataset = self._open_dataset()
        self._len = len(dataset)
        return dataset

    @cached_property
    def _fetcher(self) -> Fetcher:
        return Fetcher(self._dataset, self._prefetch_bytes, self._queue_depth, self._timeout, self._io)

    def _own_fetcher(self) -> Fetcher:
        """The fetcher, made anew in a forked child."""
        if not self._fetcher.is_ours:
            del self._fetcher
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
        return f"<{type(self).__name__} {self._name!r}: {self._len:,} samples>"

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
        return self._iter_impl(start, stop, yield_key, raw, copy, max(1, stop - start))

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        dataset = self._dataset
        while start < stop:
            chunk = self._chunk(dataset, start, stop, raw, copy)
            if yield_key:
                yield from zip(dataset.keys[start : start + len(chunk)], chunk, strict=True)
            else:
                yield from chunk
            start += len(chunk)

    def _chunk(self, dataset: AnyDataset, start: int, stop: int, raw: bool, copy: bool) -> Sequence[Any]:
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
        dataset = self._dataset
        mean = dataset.data_size / max(1, len(dataset))
        return Packed(dataset, mean, self._columns, dataset.samples.is_ready)

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        fetcher = self._own_fetcher()
        positions = self._dataset.positions(indices)
        if len(positions) == 0:
            return Batch.empty(self._dataset)
        fetch = fetcher.fetch(positions, self._selection(columns), not raw)
        if not fetch.run(0):
            fetcher.wait(fetch)
        return fetcher.batch(fetch)

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
        stream = self._own_fetcher().stream(
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
        return StreamBatches(stream)

    def _selection(self, columns: Sequence[str] | None) -> tuple[str, ...] | None:
        return self._columns if columns is None else check_columns(columns)
