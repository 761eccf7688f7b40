"""Passes over a reader: the order and the positions that augments change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddfast.reader.abc import Reader
from ddfast.reader.contract import SampleForm
from ddfast.reader.error_handling import samples_at_indices, samples_in_range
from ddfast.reader.read_ahead import samples_at

__all__ = ["PassOrder", "Passes", "ReaderPasses", "order_at", "samples_in"]

# Sample indices of a pass: a range if they are consecutive, so that long passes take no memory; otherwise int64.
PassOrder = range | NDArray[np.int64]


class Passes(Protocol):
    """An endless sequence of passes of equal length over the samples of a reader, and a position in it."""

    @property
    def _base(self) -> Reader:
        """The reader at the bottom of all augments."""

    @property
    def _endless(self) -> bool:
        """Whether an iterator continues with all further passes."""

    def __len__(self) -> int:
        """Number of samples of a pass."""

    def _pass(self, number: int) -> PassOrder:
        """The samples of one pass."""

    def _tell(self) -> int:
        """The position, counted over all passes."""

    def _jump(self, position: int) -> None:
        """Advance the position."""

    def _go_to(self, position: int) -> None:
        """Set the position, as `Augment.seek` does."""

    def _stretches(self, position: int) -> Iterator[PassOrder]:
        """The samples that an iterator yields from a position on, one pass or its rest at a time."""

    def _left(self, position: int) -> int:
        """Number of those samples, if the iterator is not endless."""


class ReaderPasses:
    """The passes over a reader, which are all the same."""

    _endless = False

    def __init__(self, reader: Reader) -> None:
        self._base = reader

    def __len__(self) -> int:
        return len(self._base)

    def _pass(self, number: int) -> PassOrder:
        return range(len(self._base))

    def _tell(self) -> int:
        position = self._base._i
        return position if position < len(self) else 0

    def _jump(self, position: int) -> None:
        self._base._i = position % len(self)

    def _go_to(self, position: int) -> None:
        self._base.seek(position % len(self))

    def _stretches(self, position: int) -> Iterator[PassOrder]:
        yield self._pass(0)[position % len(self) :]

    def _left(self, position: int) -> int:
        return len(self) - position % len(self)


def order_at(order: PassOrder, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices at these positions of an order."""
    if isinstance(order, range):
        return positions + order.start if order.start else positions
    return order[positions]


def samples_in(reader: Reader, order: PassOrder, form: SampleForm, chunk_size: int) -> Iterator[Any]:
    """Samples of a reader in this order, with `OMITTED` in the place of those left out.

    Consecutive samples are read by the reader's own iteration.
    """
    if reader._policy.is_strict:
        if isinstance(order, range):
            return reader._iter_impl(order.start, order.stop, *form, chunk_size)
        return samples_at(reader, order, form)
    if isinstance(order, range):
        return samples_in_range(reader, order.start, order.stop, form, chunk_size)
    return samples_at_indices(reader, order, form)
