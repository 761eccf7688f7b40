"""The shards of a split dataset as one dataset, with one order over all of their samples.

Listing the shards reads the sizes of their files and opens none of them, so that a dataset can have thousands. A shard
whose files are replaced after that is refused.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast._native.decode import Decoder
from ddfast._native.samples import Samples
from ddfast._native.shards import Shards
from ddfast._native.status import E_CANCELLED, E_FIELDS
from ddfast._util.once import Once
from ddfast._util.paths import absolute
from ddfast.dataset.base import BaseDataset, ReadFailure, Verify, check_verify
from ddfast.dataset.local import LocalDataset
from ddfast.dataset.messages import folder_given
from ddfast.dataset.shard_keys import LocalShard, ShardKeys, ShardKeyTable
from ddfast.errors import (
    ClosedError,
    DatasetNotFoundError,
    DdfastError,
    KernelError,
    ReadError,
    TooManyFieldsError,
)
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_OFFSETS, damaged
from ddfast.format.index import check_checksums_size, no_checksums

if TYPE_CHECKING:
    from ddfast._native.offsets import OffsetTable
    from ddfast._native.shards import Spec
    from ddfast._native.xxh3 import ChecksumTable

__all__ = ["ShardedDataset"]

TOO_MANY = (errno.EMFILE, errno.ENFILE)

# Several threads examine the files if there are many, because each may take a network round trip.
THREADS = 16
SHARDS_PER_THREAD = 32


class ShardedDataset(BaseDataset):
    """The files of all shards, opened when they are needed and closed when too many are open. Safe to use from several
    threads.

    Parameters:
        paths: the data files.
        name: name of the dataset in messages.
        allow_pickle: unpickle arrays of dtype object, which can run arbitrary code from the files.
        verify: ``"sample"`` to compare every sample that is read with its checksum.

    Raises:
        DatasetNotFoundError: a data file or its index is missing.
        IndexFileError: an offsets file or a checksums file is damaged.
        ChecksumsNotFoundError: samples are to be verified, and a shard has no checksums.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        name: str,
        *,
        allow_pickle: bool = False,
        verify: Verify | None = None,
    ) -> None:
        self.path = name
        self.key_table_once: Once[ShardKeyTable] = Once()
        self.decoder = Decoder(allow_pickle=allow_pickle)
        self._verify = check_verify(verify)
        self._list = _measure_all([absolute(path) for path in paths], self._verify)
        self._firsts = np.cumsum([0, *(shard.samples for shard in self._list)], dtype=np.int64)
        self._size = sum(shard.size for shard in self._list)
        self.keys: ShardKeys = ShardKeys(self._list, self._firsts)
        self._opened: tuple[int, Shards, Samples] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def data_size(self) -> int:
        """Bytes of all data files."""
        return self._size

    @property
    def shards(self) -> Shards:  # type: ignore[override]
        """The data files."""
        return self._open()[1]

    @property
    def samples(self) -> Samples:  # type: ignore[override]
        """Reads single samples and short runs of them."""
        return self._open()[2]

    def _open(self) -> tuple[int, Shards, Samples]:
        """`shards` and `samples`. A forked child has its own, because a thread of the parent may hold their lock."""
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            shards = Shards([_spec(shard, self._verify) for shard in self._list])
            opened = self._opened = os.getpid(), shards, Samples(shards, self.decoder)
        return opened

    def close(self) -> None:
        """Close all files, except those that are being read."""
        self._opened = None
        self.keys.close()

    # -- keys

    @property
    def key_table(self) -> ShardKeyTable:
        """Maps keys to indices, for all shards; 16.5 bytes per key."""
        return self.key_table_once.get(lambda: ShardKeyTable(self._list, self.keys))

    def search(self, key: str) -> int:
        """Index of the first sample with this key, or -1."""
        return self.key_table.find(key)

    def key_at(self, index: int) -> str:
        """Key of one sample; negative indices count from the end."""
        return self.keys[index]

    def keys_of(self, indices: ArrayLike) -> list[str]:
        """Keys of these samples."""
        return self.keys.take(indices)

    def file_of(self, index: int) -> str:
        """See `BaseDataset`."""
        return self._list[int(np.searchsorted(self._firsts, index, "right")) - 1].path

    # -- errors

    def explain(self, error: ReadFailure, index: int | None = None) -> Exception:
        """The error to raise for a failure at sample `index`; None if no single sample failed."""
        if index is None or not 0 <= index < len(self):
            return self._explain_no_sample(error, index)
        if isinstance(error, KernelError) and error.code == E_FIELDS:
            return TooManyFieldsError(f"{self.path}: {error.reason}")
        number = int(np.searchsorted(self._firsts, index, "right")) - 1
        local = index - int(self._firsts[number])
        dataset = self._open_shard(number, error, f" (while reading sample {local}, {index} of all shards)")
        return dataset if isinstance(dataset, Exception) else dataset.explain(error, local)

    def explain_read(self, error: KernelError | OSError, indices: NDArray[np.int64] | None) -> Exception:
        """The error to raise for a failed read; `indices` are the requested samples, if they are known."""
        if indices is None or _is_cancelled(error):
            return self._explain_no_sample(error, None)
        number: int = getattr(error, "item", 0)
        first, stop = self._firsts[number], self._firsts[number + 1]
        dataset = self._open_shard(number, error, "")
        if isinstance(dataset, Exception):
            return dataset
        return dataset.explain_read(error, indices[(indices >= first) & (indices < stop)] - first)

    def _explain_no_sample(self, error: ReadFailure, index: int | None) -> Exception:
        if _is_cancelled(error):
            return ClosedError(f"the reader of {self.path} was closed during a read")
        if index is not None:
            return self.out_of_range(index)
        if isinstance(error, OSError):
            return ReadError(error.errno, f"{error.strerror}: cannot read {self.path}", str(self.path))
        return ReadError(f"{self.path}: {error}")

    def _open_shard(self, number: int, error: ReadFailure, what: str) -> LocalDataset | Exception:
        """One shard as a dataset, to explain an error; or the error that prevents opening it."""
        shard = self._list[number]
        try:
            if isinstance(error, OSError) and error.errno in TOO_MANY:
                raise error
            shard.check()
            dataset = LocalDataset(
                shard.path,
                allow_pickle=self.decoder.allow_pickle,
                first=int(self._firsts[number]),
                verify=self._verify,
            )
            shard.check()
        except DdfastError as reason:
            return type(reason)(f"{reason}{what}")
        except OSError as reason:
            advice = "; increase the limit of open files with `ulimit -n`" if reason.errno in TOO_MANY else ""
            return ReadError(
                reason.errno, f"{reason.strerror}: cannot open {shard.path}{what}{advice}", shard.path
            )
        return dataset


def _is_cancelled(error: ReadFailure) -> bool:
    return isinstance(error, KernelError) and error.code == E_CANCELLED


def _spec(shard: LocalShard, verify: Verify | None) -> Spec:
    """The description of a shard for the kernel."""
    offsets: str | OffsetTable = shard.path + SUFFIX_OFFSETS
    sums: str | ChecksumTable | None = None if verify is None else shard.path + SUFFIX_CHECKSUMS
    if shard.offsets is not None:
        offsets, sums = shard.offsets, shard.sums
    return shard.path, offsets, shard.samples, shard.size, shard.modified, sums


def _measure_all(paths: list[str], verify: Verify | None) -> list[LocalShard]:
    """Examine all shards, in order."""
    threads = min(THREADS, len(paths) // SHARDS_PER_THREAD)
    if threads < 2:
        return _measure_some(paths, verify)
    size = -(-len(paths) // threads)
    chunks = [paths[start : start + size] for start in range(0, len(paths), size)]
    with ThreadPoolExecutor(threads, "ddfast-shards") as pool:
        return [shard for chunk in pool.map(_measure_some, chunks, repeat(verify)) for shard in chunk]


def _measure_some(paths: list[str], verify: Verify | None) -> list[LocalShard]:
    return [_measure(path, verify) for path in paths]


def _measure(path: str, verify: Verify | None) -> LocalShard:
    """A shard by the sizes of its files; a shard with a legacy index is opened."""
    try:
        status = os.stat(path)  # noqa: PTH116
        size = os.stat(path + SUFFIX_OFFSETS).st_size  # noqa: PTH116
    except FileNotFoundError:
        return _measure_opened(path, verify)
    if S_ISDIR(status.st_mode):
        raise DatasetNotFoundError(folder_given(path))
    if size == 0 or size % 8:
        raise damaged(
            Path(path + SUFFIX_OFFSETS), size, "an offset table has 8 bytes per entry and at least one entry"
        )
    if verify is not None:
        _check_sums(Path(path + SUFFIX_CHECKSUMS), size // 8 - 1)
    return LocalShard(path, size // 8 - 1, status.st_size, status.st_mtime_ns)


def _check_sums(path: Path, samples: int) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise no_checksums(path) from None
    check_checksums_size(path, size, samples)


def _measure_opened(path: str, verify: Verify | None) -> LocalShard:
    dataset = LocalDataset(
        path, first=0, verify=verify
    )  # reports missing files, and waits for files that are being replaced
    status = os.stat(path)  # noqa: PTH116
    shard = LocalShard(path, len(dataset), status.st_size, status.st_mtime_ns, dataset.offsets, dataset.sums)
    if status.st_size != dataset.data_size:
        raise shard.changed()
    return shard
