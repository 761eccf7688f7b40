"""The samples of a reader, several times or endlessly."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import repeat
from typing import Any, SupportsIndex

import numpy as np

from ddfast.errors import CorruptSampleError
from ddfast.reader.abc import Reader
from ddfast.reader.augment.base import Augment, check_chunk_size
from ddfast.reader.augment.passes import PassOrder

__all__ = ["Cycler", "Repeater"]


class _Repeated(Augment):
    """Several passes over a reader. The position is that of the reader."""

    def iter(
        self, yield_key: bool = False, raw: bool = False, copy: bool = True, chunk_size: int = 16
    ) -> Iterator[Any]:
        return self._iterate(yield_key, raw, copy, check_chunk_size(chunk_size))

    def _iterate(self, yield_key: bool, raw: bool, copy: bool, chunk_size: int) -> Iterator[Any]:
        if len(self._reader) == 0:
            return
        empty = 0  # consecutive passes without a sample: all are damaged, or the position was at the end
        for _ in self._rounds():
            empty += 1
            for sample in self._reader.iter(yield_key=yield_key, raw=raw, copy=copy, chunk_size=chunk_size):
                empty = 0
                yield sample
            if empty == 2:
                raise CorruptSampleError(
                    f"all {len(self._reader):,} samples of {self._reader!r} are damaged and left out"
                )

    def _rounds(self) -> Iterator[None]:
        """One item for each pass over the reader."""
        raise NotImplementedError

    def _tell(self) -> int:
        return self._inner._tell()

    def _jump(self, position: int) -> None:
        self._inner._jump(position)

    def _go_to(self, position: int) -> None:
        self._inner._go_to(position)

    def _stretches(self, position: int) -> Iterator[PassOrder]:
        inner = self._inner
        for _ in self._rounds():
            for stretch in inner._stretches(position):
                yield stretch
                position += len(stretch)


class Repeater(_Repeated):
    """Yields the samples of a reader several times.

    An iterator yields the rest of the reader's current pass and then further passes, `times` in total.

    Parameters:
        reader: a reader or an augment.
        times: number of passes.

    Raises:
        ValueError: `times` is negative.
    """

    def __init__(self, reader: Reader | Augment, times: SupportsIndex) -> None:
        super().__init__(reader)
        self.times = operator.index(times)
        if self.times < 0:
            raise ValueError(f"times is {self.times}, and must be at least 0")
        self._passed = 0  # passes that `seek` skipped; the next iterator leaves them out

    def __len__(self) -> int:
        return self.times * len(self._reader)

    def seek(self, index: SupportsIndex) -> None:
        """Set the position to ``index % len(self)``; the next iterator yields the rest of all passes from there.

        Raises:
            IndexError: there are no samples.
        """
        self._go_to(_modulo(index, len(self)))

    def _go_to(self, position: int) -> None:
        self._passed = position % len(self) // len(self._reader)
        super()._go_to(position)

    @property
    def _endless(self) -> bool:  # type: ignore[override]
        return self.times > 0 and self._inner._endless

    def _rounds(self) -> Iterator[None]:
        rounds, self._passed = self.times - self._passed, 0
        return repeat(None, rounds)

    def _pass(self, number: int) -> PassOrder:
        first = number * self.times
        if self.times == 1:
            return self._inner._pass(first)
        passes = [np.asarray(self._inner._pass(first + i), np.int64) for i in range(self.times)]
        return np.concatenate(passes) if passes else range(0)

    def _left(self, position: int) -> int:
        rounds = self.times - self._passed
        return self._inner._left(position) + (rounds - 1) * len(self._reader) if rounds else 0


class Cycler(_Repeated):
    """Yields the samples of a reader endlessly.

    ``len`` is the number of samples of one cycle. An augment that wraps it treats one cycle as a pass.

    Parameters:
        reader: a reader or an augment.
    """

    _endless = True

    def seek(self, index: SupportsIndex) -> None:
        """Set the position to ``index % len(self)``.

        Raises:
            IndexError: there are no samples.
        """
        self._go_to(_modulo(index, len(self)))

    def _rounds(self) -> Iterator[None]:
        return repeat(None)

    def _pass(self, number: int) -> PassOrder:
        return self._inner._pass(number)

    def _left(self, position: int) -> int:
        raise TypeError("a Cycler is endless")


def _modulo(index: SupportsIndex, n: int) -> int:
    if n == 0:
        raise IndexError(f"index {index} out of range: there are no samples")
    return operator.index(index) % n
