"""Batches of a pass over a reader, as an iterator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddfast._native.decode import Decoder
from ddfast._native.status import E_FIELDS
from ddfast.batch import Batch
from ddfast.dataset.local import too_many_fields
from ddfast.errors import CorruptSampleError, KernelError, PickleRefusedError
from ddfast.loading.on_error import Place
from ddfast.loading.order import Order, Part
from ddfast.loading.stream import Stream

if TYPE_CHECKING:
    from ddfast.reader.abc import Reader

__all__ = ["Batches", "PlannedBatches", "ReaderOrigin", "StreamBatches"]


class Batches(Iterator[Batch]):
    """Iterator over the batches of a pass. ``len`` is the number of batches of the whole pass."""

    @abstractmethod
    def __len__(self) -> int: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} batches>"

    @abstractmethod
    def close(self) -> None:
        """Give up the rest, and what is read ahead. Dropping the iterator does the same."""


class StreamBatches(Batches):
    """Batches that are read ahead."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __len__(self) -> int:
        return len(self._stream)

    def __next__(self) -> Batch:
        stream = self._stream
        while (batch := stream.take()) is None:
            head = stream.head
            if head is None:
                raise StopIteration
            stream.fetcher.wait(head)
        return batch

    def close(self) -> None:
        self._stream.close()


class PlannedBatches(Batches):
    """Batches that are read when they are asked for.

    Parameters:
        order, part: what to read.
        read: gives the batch of some sample indices.
    """

    def __init__(self, order: Order, part: Part, read: Callable[[NDArray[np.int64]], Batch]) -> None:
        self._order = order
        self._part = part
        self._read = read
        self._number = 0
        self._total = len(part)

    def __len__(self) -> int:
        return len(self._part)

    def __next__(self) -> Batch:
        if self._number >= self._total:
            raise StopIteration
        first, count = self._part.stretch(self._number)
        self._number += 1
        return self._read(self._order.indices(first, first + count))

    def close(self) -> None:
        self._total = 0


class ReaderOrigin:
    """Where the samples of a batch come from: any reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.decoder = Decoder()

    def keys_of(self, indices: NDArray[np.int64]) -> list[str]:
        """Keys of these samples."""
        return [self._reader.find_key(index) for index in indices.tolist()]

    def place(self, index: int) -> Place:
        """What the sample is read from, and its key."""
        return self._reader._place(index)

    def explain(self, error: KernelError | PickleRefusedError, index: int) -> Exception:
        """What to raise for a sample that cannot be decoded."""
        name = f"{self._reader!r}: sample {index} ({self._reader.find_key(index)!r})"
        if isinstance(error, PickleRefusedError):
            return PickleRefusedError(f"{name}: {error}")
        if error.code == E_FIELDS:
            return too_many_fields(name, error)
        return CorruptSampleError(f"{name} is damaged at byte {error.pos:,}: {error.reason}")
