"""The keys of all shards of a dataset: keys by index, and indices by key."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast._native.keys import KeyTable, hash_key, hash_keys
from ddfast._native.offsets import OffsetTable
from ddfast._native.status import E_COLLISION
from ddfast._native.xxh3 import ChecksumTable
from ddfast.errors import (
    DatasetChangedError,
    DatasetNotFoundError,
    IndexFileError,
    KernelError,
    SampleIndexError,
)
from ddfast.format.files import SUFFIX_KEY_HASHES, SUFFIX_LEGACY_INDEX, SUFFIX_OFFSETS, path_append
from ddfast.format.index import legacy_load_index, load_key_hashes
from ddfast.format.keys import Keys

__all__ = ["LocalShard", "ShardKeyTable", "ShardKeys"]

BIG_ENDIAN = np.dtype(">u8")

# Number of keys files that stay open, each with a file descriptor.
MAX_OPEN = 16


class KeyedShard(Protocol):
    """A shard that can load its keys."""

    @property
    def path(self) -> str:
        """Its name in messages."""

    @property
    def samples(self) -> int:
        """Number of samples."""

    def open_keys(self) -> Sequence[str]:
        """Its keys.

        Raises:
            FileNotFoundError: it has no keys file.
        """

    def load_hashes(self) -> tuple[bytes, NDArray[np.uint64]]:
        """Salt and hashes of its keys; errors as those of `open_keys`."""

    def check(self) -> None:
        """Raise `DatasetChangedError` if data that was read before this call may belong to another dataset."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class LocalShard:
    """A shard in local files, as it was when it was listed.

    Parameters:
        path: the data file.
        samples: number of samples.
        size, modified: size of the data file in bytes, and its modification time in ns, to detect that it is replaced.
        offsets: its offsets, if there is no offsets file.
        sums: its checksums in that case, if samples are verified.
    """

    path: str
    samples: int
    size: int
    modified: int
    offsets: OffsetTable | None = field(default=None, compare=False)
    sums: ChecksumTable | None = field(default=None, compare=False)

    def check(self) -> None:
        """Check that the files are still those of this shard.

        A writer that replaces a dataset removes its offsets first. After this check, all data that was read from the
        other index files before belongs to the shard.

        Raises:
            DatasetChangedError: the shard was replaced or changed.
            DatasetNotFoundError: it was removed.
        """
        try:
            status = os.stat(self.path)  # noqa: PTH116
            if self.offsets is None:
                os.stat(self.path + SUFFIX_OFFSETS)  # noqa: PTH116
        except FileNotFoundError as error:
            raise DatasetNotFoundError(
                f"{error.filename} not found: it was removed after the shards were listed"
            ) from None
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            raise self.changed()

    def open_keys(self) -> Sequence[str]:
        """See `KeyedShard`."""
        try:
            return Keys(self.path)
        except FileNotFoundError:
            index = path_append(self.path, SUFFIX_LEGACY_INDEX)
            if not index.exists():
                raise
            return legacy_load_index(index)[0]

    def load_hashes(self) -> tuple[bytes, NDArray[np.uint64]]:
        """See `KeyedShard`."""
        return load_key_hashes(path_append(self.path, SUFFIX_KEY_HASHES))

    def changed(self) -> DatasetChangedError:
        """The error for a shard that has changed."""
        return DatasetChangedError(
            f"{self.path} was replaced or changed since the shards were listed; open the dataset again"
        )


def _open_keys(shard: KeyedShard) -> Sequence[str]:
    """The keys of one shard."""
    keys = shard.open_keys()
    shard.check()
    if len(keys) != shard.samples:
        raise IndexFileError(
            f"{shard.path} has {shard.samples:,} samples, but {len(keys):,} keys; write it again"
        )
    return keys


class ShardKeys(Sequence[str]):
    """Read-only sequence of the keys of all shards, each read from its keys file when it is used.

    Parameters:
        shards: the shards.
        firsts: index of the first sample of each shard, and the number of all samples; int64, shape
            ``(len(shards) + 1,)``.
        max_open: number of shards whose keys stay open; None for all.
    """

    def __init__(
        self, shards: Sequence[KeyedShard], firsts: NDArray[np.int64], max_open: int | None = MAX_OPEN
    ) -> None:
        self._shards = shards
        self._firsts = firsts
        self._len = int(firsts[-1])
        self._open = lru_cache(max_open)(_open_keys)

    def __len__(self) -> int:
        return self._len

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._len)
            if step != 1:
                return self.take(np.arange(start, stop, step))
            return [key for keys in self._by_shard(start, stop) for key in keys]
        position = operator.index(index)
        if not -self._len <= position < self._len:
            raise self._outside(index)
        position %= self._len
        number = int(np.searchsorted(self._firsts, position, "right")) - 1
        return self.of(number)[position - int(self._firsts[number])]

    def __iter__(self) -> Iterator[str]:
        for keys in self._by_shard(0, self._len):
            yield from keys

    def take(self, indices: ArrayLike) -> list[str]:
        """Keys of many samples.

        Parameters:
            indices: integers from 0 up to ``len(self)``, shape ``(n,)``.

        Raises:
            SampleIndexError: an index is out of range.
        """
        chosen = np.ascontiguousarray(indices, dtype=np.int64)
        outside = np.flatnonzero((chosen < 0) | (chosen >= self._len))
        if outside.size:
            raise self._outside(int(chosen[outside[0]]))
        numbers = np.searchsorted(self._firsts, chosen, "right") - 1
        order = np.argsort(numbers, kind="stable")  # opens each file once
        taken = [""] * len(chosen)
        for run in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if chosen.size else ():
            number = int(numbers[run[0]])
            keys = self.of(number)
            local = chosen[run] - self._firsts[number]
            found = keys.take(local) if isinstance(keys, Keys) else [keys[i] for i in local.tolist()]
            for position, key in zip(run.tolist(), found, strict=True):
                taken[position] = key
        return taken

    def of(self, number: int) -> Sequence[str]:
        """Keys of one shard.

        Raises:
            FileNotFoundError: it has no keys file.
        """
        return self._open(self._shards[number])

    def close(self) -> None:
        """Close the keys files that are open."""
        self._open.cache_clear()

    def _by_shard(self, start: int, stop: int) -> Iterator[Sequence[str]]:
        for number in range(len(self._shards)):
            first, last = int(self._firsts[number]), int(self._firsts[number + 1])
            if max(first, start) < min(last, stop):
                yield self.of(number)[max(start - first, 0) : stop - first]

    def _outside(self, index: int) -> SampleIndexError:
        return SampleIndexError(f"index {index} out of range: there are {self._len:,} keys")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._shards):,} shards: {self._len:,} keys>"


class ShardKeyTable:
    """Maps keys of all shards to indices; one table in memory, 13 to 19 bytes per key. Finds the first of equal keys.

    Building it reads the key hashes of all shards, one file after the other. If a file is missing, or has another salt
    than the others, which is very rare, it reads the keys instead.

    Parameters:
        shards: the shards.
        keys: their keys.

    Raises:
        FileNotFoundError: a shard has neither key hashes nor keys.
        IndexFileError: a key hashes file is damaged.
    """

    def __init__(self, shards: Sequence[KeyedShard], keys: ShardKeys) -> None:
        content = _gather_hashes(shards, keys)
        self._kept: NDArray[np.int64] | None = (
            None  # indices of the keys in the table, if it does not have all of them
        )
        self._odd: dict[str, int] = {}  # keys with the same hash as another key
        try:
            self._table = KeyTable(content)
        except KernelError as error:
            if error.code != E_COLLISION:
                raise
            self._table = self._without_repeats(content, keys)

    def find(self, key: str) -> int:
        """Index of the first sample with this key, or -1."""
        position = self._table.find(key)
        if self._odd and key in self._odd:
            return self._odd[key]
        return position if position < 0 or self._kept is None else int(self._kept[position])

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self._table.nbytes + (0 if self._kept is None else self._kept.nbytes)

    def _without_repeats(self, content: NDArray[np.uint64], keys: ShardKeys) -> KeyTable:
        hashes = content[1:].astype(np.uint64)
        _, firsts, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        kept = np.sort(firsts)
        repeats = np.setdiff1d(np.arange(len(hashes)), kept, assume_unique=True)
        originals = firsts[inverse[repeats]]
        for index, key, other in zip(repeats.tolist(), keys.take(repeats), keys.take(originals), strict=True):
            if key != other:
                self._odd.setdefault(key, index)
        self._kept = kept
        return KeyTable(content[np.concatenate([[0], kept + 1])])


def _gather_hashes(shards: Sequence[KeyedShard], keys: ShardKeys) -> NDArray[np.uint64]:
    """The content of a key hashes file of all shards."""
    content = np.empty(len(keys) + 1, BIG_ENDIAN)
    content[0] = hash_key("0")  # the salt of nearly every dataset
    salt = content[:1].tobytes()
    at = 1
    for number, shard in enumerate(shards):
        content[at : at + shard.samples] = _hashes_of(shard, salt, lambda: keys.of(number))  # noqa: B023
        at += shard.samples
    return content


def _hashes_of(shard: KeyedShard, salt: bytes, keys: Callable[[], Sequence[str]]) -> NDArray[np.uint64]:
    try:
        own_salt, hashes = shard.load_hashes()
    except FileNotFoundError:
        own_salt = b""
    if own_salt != salt:
        known = keys()
        return known.hashes(salt) if isinstance(known, Keys) else hash_keys(list(known), salt)
    shard.check()
    if len(hashes) != shard.samples:
        raise IndexFileError(
            f"{shard.path}{SUFFIX_KEY_HASHES} has {len(hashes):,} hashes for {shard.samples:,} samples. Write it again "
            "from the keys with ddfast.index.write_key_hashes."
        )
    return hashes
