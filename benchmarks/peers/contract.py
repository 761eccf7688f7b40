"""The interface of a peer, which writes samples into a folder and reads them back.

This module imports little, because a fresh process imports it before the first sample.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

Sample = dict[str, Any]
Columns = dict[str, Any]


class NotOffered(Exception):  # noqa: N818 - no error: an answer
    """The peer does not support this; the message is the reason that tables show."""


class Reader(ABC):
    """The samples of a folder. Methods that a peer does not support natively are implemented here in plain Python.

    A sample is a dict of a str, an int and bytes or an array. Columns are an array of shape ``(n,)`` or
    ``(n, *shape)`` for numbers and arrays, and any sequence of str, bytes or views of bytes for others. Their
    bytes are in memory of the process: views of a mapped file that was not read yet do not count as delivered.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """All samples in order. Asynchronous readers return an asynchronous iterator."""

    def batches(self, size: int) -> Iterator[Columns]:
        """All samples in order, as columns of ``size`` samples; the last may have fewer."""
        from benchmarks.collating import collate

        samples = iter(self.samples())
        while block := list(islice(samples, size)):
            yield collate(block)

    def get(self, index: int) -> Sample:
        """The sample at an index."""
        raise NotOffered("no random access")

    def get_batch(self, indices: Sequence[int]) -> Columns:
        """The samples at these indices, in this order, as columns."""
        from benchmarks.collating import collate

        return collate([self.get(index) for index in indices])

    def shuffled(self, size: int, seed: int) -> Iterator[Columns]:
        """All samples in a truly random order, as columns of ``size`` samples."""
        import numpy as np

        order = np.random.default_rng(seed).permutation(len(self)).tolist()
        for start in range(0, len(order), size):
            yield self.get_batch(order[start : start + size])

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine over one of the reader's asynchronous iterators."""
        raise NotImplementedError

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Close all files and end all threads."""


class Peer(ABC):
    """One way of storing samples. A module of `benchmarks.peers.formats` names its own ``PEER``."""

    @abstractmethod
    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        """Write at least one sample into an empty folder.

        Raises:
            NotOffered: the format cannot store such samples.
        """

    @abstractmethod
    def open(self, folder: Path) -> Reader:
        """Open the files that `write` has written."""


def peek(samples: Iterator[Sample]) -> tuple[Sample, Iterator[Sample]]:
    """The first sample, and all samples."""
    from itertools import chain

    first = next(samples)
    return first, chain([first], samples)
