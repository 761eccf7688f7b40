"""Batches of the samples of an augment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ddfast.batch import Batch
from ddfast.loading.options import BatchOptions
from ddfast.loading.order import Part
from ddfast.reader.augment.passes import Passes
from ddfast.reader.batches import Batches

__all__ = ["AugmentBatches", "PassBatches"]

# Short passes are joined until they have this many samples, so that read-ahead continues from one pass to the next.
STREAM_SAMPLES = 1 << 16


class AugmentBatches(Batches):
    """Batches with each of which the position of an augment advances.

    Parameters:
        augment: the augment.
        options: the arguments of `Augment.batches`.
    """

    def __init__(self, augment: Passes, options: BatchOptions) -> None:
        super().__init__()
        Part(0, options.batch_size)  # checks the size
        self._augment = augment
        self._options = options
        self._batch_size = options.batch_size
        self._start = augment._tell() if len(augment) else 0
        self._left: int | None = None  # samples; None: endless
        if len(augment) == 0 or not augment._endless:
            self._left = augment._left(self._start) if len(augment) else 0
        self._number = 0  # of the next batch
        self._closed = False

    def __len__(self) -> int:
        """Number of batches, including those delivered already.

        Raises:
            TypeError: the batches are endless.
        """
        if self._left is None:
            raise TypeError(f"{self._augment!r} is endless, so its batches have no length")
        return len(Part(self._left, self._batch_size, drop_last=self._options.drop_last))

    def _take(self) -> Batch:
        if self._closed:
            raise StopIteration
        if self._left is not None and self._number >= len(self):
            self._closed = True
            if self._left and self._number == 0:  # all samples are left out
                self._augment._jump(self._start + self._left)
            raise StopIteration
        self._number += 1  # the next call continues after a batch that fails
        batch = self._read()
        self._augment._jump(self._start + self._delivered())
        return batch

    def _read(self) -> Batch:
        """The next batch, which must exist."""
        raise NotImplementedError

    def _delivered(self) -> int:
        """Number of samples that the position has passed; after the last batch, all of them."""
        if self._left is not None and self._number == len(self):
            return self._left
        return self._number * self._batch_size

    def close(self) -> None:
        self._closed = True


class PassBatches(AugmentBatches):
    """Batches of the samples of a reader, in the order of an augment.

    Parameters:
        augment, options: as those of `AugmentBatches`.
    """

    def __init__(self, augment: Passes, options: BatchOptions) -> None:
        super().__init__(augment, options)
        self._stretches = iter(()) if self._left == 0 else augment._stretches(self._start)
        self._indexed = 0  # samples of the stretches so far
        self._rest = np.empty(0, np.int64)  # indices that do not fill a batch
        self._batches: Iterator[Batch] = iter(())

    def _read(self) -> Batch:
        while True:
            try:
                return next(self._batches)
            except StopIteration:
                self._batches = self._next_batches()

    def _next_batches(self) -> Batches:
        """The batches of the next passes, read ahead as one stream."""
        indices, last = self._next_indices()
        full = len(indices) if last else len(indices) // self._batch_size * self._batch_size
        self._rest = indices[full:]
        if not full:
            raise StopIteration  # the reader has become shorter
        return self._augment._base.batches(
            self._batch_size,
            indices=indices[:full],
            drop_last=self._options.drop_last,
            columns=self._options.columns,
            raw=self._options.raw,
        )

    def _next_indices(self) -> tuple[NDArray[np.int64], bool]:
        """Indices of at least one batch, if that many are left, and whether these are all."""
        parts, size = [self._rest], len(self._rest)
        for stretch in self._stretches:
            parts.append(np.asarray(stretch, np.int64))
            size += len(stretch)
            self._indexed += len(stretch)
            if self._indexed == self._left:
                break
            if size >= max(STREAM_SAMPLES, self._batch_size):
                return np.concatenate(parts), False
        return np.concatenate(parts), True

    def close(self) -> None:
        super().close()
        self._batches = iter(())
