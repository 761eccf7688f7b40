"""What readers need of a dataset, be it in one file or in many."""

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
from ddfast._util.once import Once
from ddfast.errors import DdfastError, KernelError, PickleRefusedError, SampleIndexError, SampleKeyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ddfast._native.engine import Engine

__all__ = ["Dataset", "Failure", "Server", "Verify", "Wire", "check_verify"]

Failure = KernelError | OSError | PickleRefusedError

Verify = Literal["sample"]


def check_verify(verify: Verify | None) -> Verify | None:
    """What readers take for `verify`.

    Raises:
        ValueError: it is something else.
    """
    if verify not in ("sample", None):
        raise ValueError(f"verify is {verify!r}, not 'sample' or None")
    return verify


class Traffic(Protocol):
    """What is counted of far storage, see `ddfast.storage.Traffic`."""

    requests: int
    bytes: int
    retries: int
    hedged: int
    throttled: int
    waited: float


class Wire(Protocol):
    """What far storage is read over."""

    @property
    def traffic(self) -> Traffic:
        """What was read so far, counted."""


class Server(Protocol):
    """What reads for an engine from outside."""

    def close(self, timeout: float) -> bool:
        """Hand back what it was given, and end. Returns False if it needs longer than `timeout` seconds; ask again."""


class Dataset(ABC):
    """What readers need of a dataset, be it in one file or in many.

    Attributes:
        path: what messages call it.
        decoder: what makes objects of its samples.
        shards: its data files.
        samples: single samples and short runs of them.
        keys: keys of all samples, each read when it is used.
        key_table: from key to index; made when it is first used.
        key_table_once: whether it is made.
        is_remote: whether each read takes so long that even neighbours are to be read ahead.
        max_gap: samples closer than so many bytes in a file share a read.
        max_read: bytes of one read at most: reads are cut at that, so that threads share large batches.
        patience: seconds after which what reads for an engine from outside has given a read up by itself.
        wire: what was read from far away, counted; None where nothing is.
    """

    path: str | Path
    decoder: Decoder
    shards: Shards
    samples: Samples
    keys: Sequence[str]
    key_table: Any
    key_table_once: Once[Any]
    is_remote: bool = False
    max_gap: int = 4 << 10
    max_read: int = 1 << 20
    patience: float = 0.0
    wire: Wire | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @property
    @abstractmethod
    def data_size(self) -> int:
        """Bytes of all samples."""

    def serve(self, engine: Engine) -> Server | None:
        """Have what the engine cannot read read from outside; None: it reads all by itself."""
        return None

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Close files that can be opened again when they are needed: a batch that is kept keeps the dataset."""

    @abstractmethod
    def search(self, key: str) -> int:
        """Index of the sample with this key, or -1.

        Raises:
            TypeError: the key is no string.
        """

    @abstractmethod
    def key_at(self, index: int) -> str:
        """Key of one sample; negative indices count from the end.

        Raises:
            IndexError: there is no such sample.
        """

    @abstractmethod
    def keys_of(self, indices: ArrayLike) -> list[str]:
        """Keys of these samples."""

    @abstractmethod
    def explain(self, error: Failure, index: int | None = None) -> Exception:
        """What to raise for a failure at sample `index`; None where no sample is to blame."""

    @abstractmethod
    def explain_read(self, error: KernelError | OSError, indices: NDArray[np.int64] | None) -> Exception:
        """What to raise for a read that failed; `indices` are the samples that were wanted, if that is known."""

    def place(self, index: int) -> tuple[str, str | None]:
        """What the sample is read from, and its key; None where that cannot be told."""
        try:
            return os.fspath(self.path), self.key_at(index)
        except (DdfastError, OSError):
            return os.fspath(self.path), None

    def find_index(self, key: str) -> int:
        """Index of the sample with this key.

        Raises:
            SampleKeyError: there is none.
        """
        index = self.search(key)
        if index < 0:
            raise SampleKeyError(f"{self.path} has no sample with key {key!r}")
        return index

    def position(self, index: Any) -> int:
        """A sample index as it counts from 0; negative ones count from the end.

        Raises:
            SampleIndexError: there is no such sample.
            TypeError: it is no integer.
        """
        n, position = len(self), operator.index(index)
        if not -n <= position < n:
            raise self.out_of_range(index)
        return position + n if position < 0 else position

    def positions(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Sample indices as they count from 0; int64, shape ``(n,)``.

        Raises:
            SampleIndexError: there is no such sample.
            TypeError: they are no integers.
        """
        from ddfast.dataset.positions import check_positions

        return check_positions(indices, len(self), str(self.path))

    def out_of_range(self, index: Any) -> SampleIndexError:
        """The error for an index that no sample has."""
        return SampleIndexError(f"index {index} out of range: {self.path} has {len(self):,} samples")
