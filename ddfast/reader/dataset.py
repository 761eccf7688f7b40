"""The base of readers of msgpack files, whose samples an engine reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast._util.once import lazy
from ddfast.dataset.base import BaseDataset
from ddfast.dataset.location import shown_name
from ddfast.errors import KernelError, PickleRefusedError, ReadError, SampleIndexError
from ddfast.loading.on_error import SamplePlace
from ddfast.loading.options import BatchOptions, ReadOptions, check_columns
from ddfast.reader.abc import Reader
from ddfast.reader.contract import PackedSource, SampleForm

# Not imported before the first batch, see `ddfast.reader.abc`.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ddfast._native.samples import Samples
    from ddfast.batch import Batch
    from ddfast.loading.fetcher import Fetcher
    from ddfast.reader.batches import Batches

__all__ = ["DatasetReader"]

# Samples that are read and decoded together by iteration. Large samples are read one by one, so that the memory of the
# previous sample is still in the processor's cache when the next one needs it.
CHUNK_BYTES = 64 << 10


class DatasetReader(Reader):
    """Reads a dataset that is opened when it is first used, and again when it is used after `close`.

    Parameters:
        name: name of the dataset in messages.
        options: the arguments of the reader.
    """

    # A copy shares the open files, so that it reads the same dataset even if that was replaced on disk.
    _do_not_copy = ("_fetcher",)

    def __init__(self, name: str, options: ReadOptions) -> None:
        super().__init__(on_error=options.on_error)
        self._name = name
        self._options = options
        self._len = len(self._dataset)

    @abstractmethod
    def _open_dataset(self) -> BaseDataset:
        """Open the dataset."""

    @lazy
    def _dataset(self) -> BaseDataset:
        dataset = self._open_dataset()
        self._len = len(dataset)
        self._policy.counters.add_transfers(dataset.transfers)
        return dataset

    @lazy
    def _fetcher(self) -> Fetcher:
        from ddfast.loading.fetcher import Fetcher

        return Fetcher(self._dataset, self._options, self._policy)

    def _own_fetcher(self) -> Fetcher:
        """The fetcher of this process; a forked child makes its own."""
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

    def _place(self, index: int) -> SamplePlace:
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
        return self._dataset.has_key(key)

    # -- samples

    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any:
        dataset = self._dataset
        samples: Samples | Fetcher | None = dataset.samples
        if samples is None:
            samples = self._own_fetcher()
        try:
            sample = samples.raw(index) if raw else samples.get(index)
        except ReadError:
            raise
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
        from ddfast.reader.error_handling import samples_in_range, without_omitted

        return without_omitted(samples_in_range(self, start, stop, SampleForm(yield_key, raw, copy), size))

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        dataset = self._dataset
        samples = dataset.samples
        if samples is None:
            import numpy as np

            from ddfast.reader.read_ahead import samples_at

            yield from samples_at(self, np.arange(start, stop), SampleForm(yield_key, raw, copy))
            return
        while start < stop:
            chunk = self._chunk(samples, start, stop, raw, copy)
            if yield_key:
                yield from zip(dataset.keys[start : start + len(chunk)], chunk, strict=True)
            else:
                yield from chunk
            start += len(chunk)

    def _chunk(self, samples: Samples, start: int, stop: int, raw: bool, copy: bool) -> Sequence[Any]:
        """At least one sample, from `start` on; if one is damaged, the samples before it."""
        try:
            end = samples.fit(start, stop, CHUNK_BYTES)
            if raw:
                return samples.raw_range(start, end, copy)
            return samples.decode_range(start, end)
        except (KernelError, OSError, PickleRefusedError):
            return [
                self.get(start, raw=raw, copy=copy)
            ]  # the error names the sample, if that is the damaged one

    # -- batches

    @property
    def _packed(self) -> PackedSource | None:  # type: ignore[override]
        if type(self).get is not DatasetReader.get:  # a subclass changes samples after reading them
            return None
        dataset = self._dataset
        mean = dataset.data_size / max(1, len(dataset))
        is_ready = dataset.samples.is_ready if dataset.samples else _never
        return PackedSource(dataset, mean, self._options.columns, is_ready, self._strict_batches)

    def _strict_batches(self, batch_size: int, indices: NDArray[np.int64]) -> Batches:
        return self._prefetched(BatchOptions(batch_size, indices, raw=True), strict=True)

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        fetcher = self._own_fetcher()
        positions = self._dataset.positions(indices)
        selection = self._selection(check_columns(columns))
        if len(positions) == 0:
            return fetcher.known.empty(self._dataset, selection, raw)
        fetch = fetcher.fetch(positions, selection, not raw)
        if not fetch.run(0):
            fetcher.wait(fetch)
        fetcher.count_reads(fetch)
        batch = fetcher.batch(fetch)
        self._policy.counters.add_batch(batch)
        if not raw:
            fetcher.known.note(batch, selection)
        return batch

    def _open_batches(self, options: BatchOptions) -> Batches:
        return self._prefetched(options._replace(columns=self._selection(options.columns)))

    def _prefetched(self, options: BatchOptions, strict: bool = False) -> Batches:
        from ddfast.loading.stream import open_stream
        from ddfast.reader.batches import PrefetchedBatches

        return PrefetchedBatches(open_stream(self._own_fetcher(), options, strict))

    def _selection(self, columns: Sequence[str] | None) -> Sequence[str] | None:
        return self._options.columns if columns is None else columns


def _never(index: int) -> bool:
    return False
