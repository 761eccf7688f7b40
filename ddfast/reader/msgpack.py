"""The blocking reader of datasets in the datadings format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any

from numpy.typing import ArrayLike

from ddfast.batch import Batch
from ddfast.dataset import Dataset
from ddfast.errors import KernelError, PickleRefusedError, SampleIndexError
from ddfast.files import (
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    path_append,
)
from ddfast.order import Shuffle
from ddfast.prefetch import IO, PREFETCH_BYTES, QUEUE_DEPTH, READ_TIMEOUT, Fetcher, check_columns
from ddfast.reader.abc import Reader
from ddfast.reader.ahead import Packed
from ddfast.reader.batches import Batches, StreamBatches
from ddfast.tools import hash_md5hex, load_md5file

# Samples read and decoded at once when iterating. Large ones go one by one, so that the memory of the last is still in
# the processor's cache when the next needs it.
CHUNK_BYTES = 64 << 10

INDEX_SUFFIXES = (SUFFIX_OFFSETS, SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_LEGACY_INDEX)


class MsgpackReader(Reader):
    """Reads a dataset: a ``.msgpack`` file with the index files beside it.

    Files are opened once and closed by leaving the ``with`` block; a closed reader opens them again when it is used. A
    reader pickles and survives a fork: it opens its files again where it wakes up.

    Parameters:
        path: the data file.
        buffering: accepted for datadings' sake; reads are as large as they should be without it.
        allow_pickle: unpickle arrays of dtype object. Unpickling runs whatever code the file asks for.
        prefetch_bytes: memory that `batches` may use to read ahead.
        queue_depth: reads in flight at most.
        columns: names of the columns that batches have; None for all.
        timeout: seconds without any read completing after which `batches` and `get_many` give storage up.
        io: what waits for storage in `batches` and `get_many`: ``"threads"``, or ``"uring"``, one thread with Linux's
            io_uring (UnsupportedIOError where the system does not let this program use it); ``"auto"`` is threads,
            which are as fast.

    Raises:
        DatasetNotFoundError: there is no data file, or no index.
        IndexFileError: the index is damaged or belongs to another data file.
    """

    # A copy shares what is open, so that it reads the same dataset even where that was replaced on disk.
    _do_not_copy = ("_fetcher",)

    def __init__(
        self,
        path: str | os.PathLike[str],
        buffering: int = 0,
        *,
        allow_pickle: bool = False,
        prefetch_bytes: int = PREFETCH_BYTES,
        queue_depth: int = QUEUE_DEPTH,
        columns: Sequence[str] | None = None,
        timeout: float = READ_TIMEOUT,
        io: IO = "auto",
    ) -> None:
        super().__init__()
        self._path = os.fspath(path)
        self._allow_pickle = allow_pickle
        self._prefetch_bytes = prefetch_bytes
        self._queue_depth = queue_depth
        self._columns = check_columns(columns)
        self._timeout = timeout
        self._io: IO = io
        self._len = len(self._dataset)

    @cached_property
    def _dataset(self) -> Dataset:
        dataset = Dataset(self._path, allow_pickle=self._allow_pickle)
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
        self.__dict__.pop("_dataset", None)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_dataset", "_fetcher")}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self._path)!r}: {self._len:,} samples>"

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
        if type(self).get is not MsgpackReader.get:  # samples are more than what is in the file
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

    # -- integrity

    def verify_data(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Hash the data file and compare with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show a progress bar.

        Returns:
            Whether the hash is the one in the md5 file.
        """
        path = self._dataset.path
        return load_md5file(path_append(path, ".md5")).get(path.name) == hash_md5hex(
            path, read_size, progress
        )

    def verify_index(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Hash all index files and compare with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show progress bars.

        Returns:
            Whether all index files there are, and all that the md5 file lists, have the hash in it.
        """
        path = self._dataset.path
        hashes = load_md5file(path_append(path, ".md5"))
        names = [path_append(path, suffix) for suffix in INDEX_SUFFIXES]
        wanted = [name for name in names if name.name in hashes or name.exists()]
        return all(
            name.exists() and hashes.get(name.name) == hash_md5hex(name, read_size, progress)
            for name in wanted
        )
