"""The interface of datasets, in one file or in many, local or remote."""

from __future__ import annotations

import operator
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ddfast._native.decode import Decoder
from ddfast._native.samples import Samples
from ddfast._native.shards import Shards
from ddfast._util.brief import brief
from ddfast._util.once import Once
from ddfast.dataset.lookup import key_text, not_a_string
from ddfast.errors import DdfastError, KernelError, PickleRefusedError, SampleIndexError, SampleKeyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ddfast._native.engine import Engine
    from ddfast.storage.transfer.link import TransferCounters

__all__ = ["BaseDataset", "ReadFailure", "Server", "TransferSource", "Verify", "check_verify"]

# What reading and decoding raise before the dataset explains it.
ReadFailure = KernelError | OSError | PickleRefusedError

Verify = Literal["sample"]


def check_verify(verify: Verify | None) -> Verify | None:
    """The argument `verify` of readers, checked.

    Raises:
        ValueError: it has another value.
    """
    if verify not in ("sample", None):
        raise ValueError(f"verify is {verify!r}, not 'sample' or None")
    return verify


class TransferSource(Protocol):
    """Remote storage that counts its transfers."""

    @property
    def counters(self) -> TransferCounters:
        """The transfers so far, also after the storage was closed."""


class Server(Protocol):
    """Reads remote files for an engine, in a separate thread."""

    def close(self, timeout: float) -> bool:
        """Cancel its reads and end. Returns False if that takes longer than `timeout` seconds; call it again then."""


class BaseDataset(ABC):
    """A dataset, in one file or in many.

    Attributes:
        path: its name in messages.
        decoder: decodes its samples.
        shards: its data files.
        samples: reads single samples and short runs directly from the files; None for a remote dataset, whose single
            samples a `ddfast.loading.fetcher.Fetcher` reads.
        keys: keys of all samples, each read when it is used.
        key_table: maps keys to indices; made when it is first used.
        key_table_once: whether `key_table` is made.
        is_remote: whether it is under a URL, so that samples in file order are read ahead too.
        max_gap: samples that are at most this many bytes apart in a file share a read.
        max_read: size limit of a read in bytes; larger reads are split, so that threads share them.
        read_timeout: seconds after which a read of remote storage has completed or failed; 0 for files.
        transfers: counts the transfers from remote storage; None for files.
    """

    path: str | Path
    decoder: Decoder
    shards: Shards
    samples: Samples | None
    keys: Sequence[str]
    key_table: Any
    key_table_once: Once[Any]
    is_remote: bool = False
    max_gap: int = 4 << 10
    max_read: int = 1 << 20
    read_timeout: float = 0.0
    transfers: TransferSource | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @property
    @abstractmethod
    def data_size(self) -> int:
        """Bytes of all samples."""

    def serve(self, engine: Engine) -> Server | None:
        """Start reading for an engine what it cannot read itself; None if it reads everything itself."""
        return None

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Close the files that can be opened again. Batches of the dataset may still use it."""

    @abstractmethod
    def search(self, key: str) -> int:
        """Index of the sample with this key, or -1. The key is a plain `str` without lone surrogates."""

    @abstractmethod
    def key_at(self, index: int) -> str:
        """Key of one sample; negative indices count from the end.

        Raises:
            IndexError: the index is out of range.
        """

    @abstractmethod
    def keys_of(self, indices: ArrayLike) -> list[str]:
        """Keys of these samples."""

    @abstractmethod
    def explain(self, error: ReadFailure, index: int | None = None) -> Exception:
        """The error to raise for a failure at sample `index`; None if no single sample failed."""

    @abstractmethod
    def explain_read(self, error: KernelError | OSError, indices: NDArray[np.int64] | None) -> Exception:
        """The error to raise for a failed read; `indices` are the requested samples, if they are known."""

    def place(self, index: int) -> tuple[str, str | None]:
        """The path that a sample is read from, and its key; None if the key cannot be read."""
        try:
            return self.file_of(index), self.key_at(index)
        except (DdfastError, OSError):
            return self.file_of(index), None

    def file_of(self, index: int) -> str:
        """The path of the data file that a sample is in, or its URL without secrets."""
        return os.fspath(self.path)

    def find_index(self, key: str) -> int:
        """Index of the sample with this key.

        Raises:
            SampleKeyError: no sample has this key.
            TypeError: the key is not a string.
        """
        if not isinstance(key, str):
            raise not_a_string(key)
        text = key_text(key)
        index = -1 if text is None else self.search(text)
        if index < 0:
            raise SampleKeyError(f"{self.path} has no sample with key {brief(key)}")
        return index

    def has_key(self, key: object) -> bool:
        """Whether a sample has this key."""
        text = key_text(key)
        return text is not None and self.search(text) >= 0

    def position(self, index: Any) -> int:
        """A sample index as a number from 0; negative indices count from the end.

        Raises:
            SampleIndexError: the index is out of range.
            TypeError: it is not an integer.
        """
        n, position = len(self), operator.index(index)
        if not -n <= position < n:
            raise self.out_of_range(index)
        return position + n if position < 0 else position

    def positions(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Sample indices as numbers from 0; int64, shape ``(n,)``.

        Raises:
            SampleIndexError: an index is out of range.
            TypeError: they are not integers.
        """
        from ddfast.dataset.positions import check_positions

        return check_positions(indices, len(self), str(self.path))

    def out_of_range(self, index: Any) -> SampleIndexError:
        """The error for an index that is out of range."""
        return SampleIndexError(f"index {index} out of range: {self.path} has {len(self):,} samples")
