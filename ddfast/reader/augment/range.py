"""A range of the samples of a reader."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, SupportsIndex

from ddfast.reader.abc import Reader
from ddfast.reader.augment.base import Augment, PositionedAugment
from ddfast.reader.augment.passes import PassOrder, samples_in
from ddfast.reader.contract import SampleForm
from ddfast.reader.error_handling import without_omitted

__all__ = ["Range"]


class Range(PositionedAugment):
    """Yields the samples ``[start, stop)`` of a reader.

    `seek` sets where the next iterator begins; all others begin at `start`, wherever an earlier loop ended.

    Parameters:
        reader: a reader or an augment, of which each pass is cut to this range.
        start: index of the first sample; negative indices count from the end.
        stop: index after the last sample, as in a slice.

    Raises:
        IndexError: `start` is out of range.
    """

    def __init__(
        self, reader: Reader | Augment, start: SupportsIndex = 0, stop: SupportsIndex | None = None
    ) -> None:
        super().__init__(reader)
        n = len(reader)
        if not -n <= operator.index(start) < n:
            raise IndexError(f"index {start} out of range for length {n} reader")
        self.start, self.stop, _ = slice(start, stop).indices(n)

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def _iterate(self, form: SampleForm, chunk_size: int) -> Iterator[Any]:
        begin, self._i = self._i, 0
        yield from without_omitted(samples_in(self._base, self._pass(self._number)[begin:], form, chunk_size))
        self._number += 1

    def _pass(self, number: int) -> PassOrder:
        return self._inner._pass(number)[self.start : self.stop]
