"""Part of a reader's samples, or all of them several times."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import repeat
from typing import Any, SupportsIndex

import numpy as np

from ddfast.errors import CorruptSampleError
from ddfast.reader.abc import Reader
from ddfast.reader.augment.base import Augment, Indices, PlacedAugment, check_chunk_size, samples_in
from ddfast.reader.form import Form
from ddfast.reader.lenient import given

__all__ = ["Cycler", "Range", "Repeater"]


class Range(PlacedAugment):
    """Gives the samples ``[start, stop)`` of a reader.

    `seek` says where the next iterator begins; every other one begins at `start`, wherever a loop was left.

    Parameters:
        reader: a reader or an augment, of whose passes the same part is given.
        start: the first sample; negative ones count from the end.
        stop: the first one behind, as in a slice.

    Raises:
        IndexError: there is no sample `start`.
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

    def _iterate(self, form: Form, chunk_size: int) -> Iterator[Any]:
        begin, self._i = self._i, 0
        yield from given(samples_in(self._base, self._pass(self._number)[begin:], form, chunk_size))
        self._number += 1

    def _pass(self, number: int) -> Indices:
        return self._inner._pass(number)[self.start : self.stop]


class _Again(Augment):
    """Goes through a reader again and again. The position is that of the reader."""

    def iter(
        self, yield_key: bool = False, raw: bool = False, copy: bool = True, chunk_size: int = 16
    ) -> Iterator[Any]:
        return self._iterate(yield_key, raw, copy, check_chunk_size(chunk_size))

    def _iterate(self, yield_key: bool, raw: bool, copy: bool, chunk_size: int) -> Iterator[Any]:
        if len(self._reader) == 0:
            return
        empty = 0  # passes without a sample: all are damaged, or were behind the position
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
        """One item for each time that the reader is gone through."""
        raise NotImplementedError

    def _tell(self) -> int:
        return self._inner._tell()

    def _jump(self, position: int) -> None:
        self._inner._jump(position)

    def _go_to(self, position: int) -> None:
        self._inner._go_to(position)

    def _stretches(self, position: int) -> Iterator[Indices]:
        inner = self._inner
        for _ in self._rounds():
            for stretch in inner._stretches(position):
                yield stretch
                position += len(stretch)


class Repeater(_Again):
    """Gives the samples of a reader several times.

    An iterator gives the rest of the pass that the reader is in, and then further ones, `times` in all.

    Parameters:
        reader: a reader or an augment.
        times: how many passes are given.

    Raises:
        ValueError: `times` is negative.
    """

    def __init__(self, reader: Reader | Augment, times: SupportsIndex) -> None:
        super().__init__(reader)
        self.times = operator.index(times)
        if self.times < 0:
            raise ValueError(f"times is {self.times}, but a reader can be repeated 0 times at least")
        self._passed = 0  # passes that `seek` went past; the next iterator leaves them out

    def __len__(self) -> int:
        return self.times * len(self._reader)

    def seek(self, index: SupportsIndex) -> None:
        """Go to the sample ``index % len(self)``; the next iterator gives the rest of all passes from there.

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

    def _pass(self, number: int) -> Indices:
        first = number * self.times
        if self.times == 1:
            return self._inner._pass(first)
        passes = [np.asarray(self._inner._pass(first + i), np.int64) for i in range(self.times)]
        return np.concatenate(passes) if passes else range(0)

    def _left(self, position: int) -> int:
        rounds = self.times - self._passed
        return self._inner._left(position) + (rounds - 1) * len(self._reader) if rounds else 0


class Cycler(_Again):
    """Gives the samples of a reader again and again, for ever.

    ``len`` is the number of samples of one cycle; another augment around it takes one cycle for a pass.

    Parameters:
        reader: a reader or an augment.
    """

    _endless = True

    def seek(self, index: SupportsIndex) -> None:
        """Go to the sample ``index % len(self)``.

        Raises:
            IndexError: there are no samples.
        """
        self._go_to(_modulo(index, len(self)))

    def _rounds(self) -> Iterator[None]:
        return repeat(None)

    def _pass(self, number: int) -> Indices:
        return self._inner._pass(number)

    def _left(self, position: int) -> int:
        raise TypeError("a Cycler has no end")


def _modulo(index: SupportsIndex, n: int) -> int:
    if n == 0:
        raise IndexError(f"index {index} out of range: there are no samples")
    return operator.index(index) % n
