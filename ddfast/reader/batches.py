"""Iterators over the batches of a pass."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ddfast._util.iteration import not_at_end
from ddfast.batch import Batch
from ddfast.errors import SharedPositionError
from ddfast.loading.order import Order, Part
from ddfast.loading.stream import Stream

__all__ = ["Batches", "OnDemandBatches", "PrefetchedBatches"]


class Batches(Iterator[Batch]):
    """Iterator over the batches of a pass. ``len`` is the number of batches of the whole pass.

    Use it in one thread at a time.

    Raises:
        SharedPositionError: another thread is taking a batch.
    """

    def __init__(self) -> None:
        self._turn = [None]  # empty while a batch is taken; `pop` and `append` are atomic

    @abstractmethod
    def __len__(self) -> int: ...

    def __next__(self) -> Batch:
        try:
            self._turn.pop()
        except IndexError:
            raise SharedPositionError(
                "two threads take batches of one iterator at the same time, so both would miss batches. Call `batches` "
                "in each thread, of a reader with `rank` and `world_size` to share a pass"
            ) from None
        try:
            return self._take()
        finally:
            self._turn.append(None)

    @abstractmethod
    def _take(self) -> Batch:
        """The next batch.

        Raises:
            StopIteration: there is none.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} batches>"

    @abstractmethod
    def close(self) -> None:
        """End the iterator and cancel reads ahead. Dropping the iterator does the same."""


class PrefetchedBatches(Batches):
    """Batches of a stream, which reads ahead."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def __len__(self) -> int:
        return len(self._stream)

    def _take(self) -> Batch:
        stream = self._stream
        while (batch := stream.poll()) is None:
            head = stream.head
            if head is None:
                raise StopIteration
            stream.fetcher.wait(head)
        return batch

    def close(self) -> None:
        self._stream.close()


class OnDemandBatches(Batches):
    """Batches that are read when they are requested.

    Parameters:
        order, part: the samples to read.
        read: returns the batch of some sample indices.
    """

    def __init__(self, order: Order, part: Part, read: Callable[[NDArray[np.int64]], Batch]) -> None:
        super().__init__()
        self._order = order
        self._part = part
        self._read = read
        self._number = 0
        self._total = len(part)

    def __len__(self) -> int:
        return len(self._part)

    def _take(self) -> Batch:
        if self._number >= self._total:
            raise StopIteration
        first, count = self._part.stretch(self._number)
        self._number += 1
        return not_at_end(self._read, self._order.indices(first, first + count))

    def close(self) -> None:
        self._total = 0
