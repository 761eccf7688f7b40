"""What every augment offers."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import NDArray

from ddfast.reader.abc import Reader
from ddfast.reader.ahead import samples_at
from ddfast.reader.augment.batches import PassBatches
from ddfast.reader.batches import Batches
from ddfast.reader.form import Form
from ddfast.reader.lenient import at_indices, in_range, passing

__all__ = ["Augment", "Indices", "PlacedAugment", "chosen", "samples_in"]

Self = TypeVar("Self", bound="Augment")

# Sample indices of a reader: a range where they follow each other, so that it may be long; or int64.
Indices = range | NDArray[np.int64]


class Passes(Protocol):
    """An endless sequence of samples of a reader, made of passes of equal length, and a position in it."""

    @property
    def _base(self) -> Reader:
        """The reader."""

    @property
    def _endless(self) -> bool:
        """Whether an iterator goes through all passes instead of one."""

    def __len__(self) -> int:
        """Number of samples of a pass."""

    def _pass(self, number: int) -> Indices:
        """The samples of one pass."""

    def _tell(self) -> int:
        """The position, counted through all passes."""

    def _jump(self, position: int) -> None:
        """Move the position on."""

    def _go_to(self, position: int) -> None:
        """Set the position, as whoever uses the augment does."""

    def _stretches(self, position: int) -> Iterator[Indices]:
        """The samples that an iterator gives from a position on, a pass or the rest of one at a time."""

    def _left(self, position: int) -> int:
        """How many those are, if it is not endless."""


class Whole:
    """A reader as passes: all are the same."""

    _endless = False

    def __init__(self, reader: Reader) -> None:
        self._base = reader

    def __len__(self) -> int:
        return len(self._base)

    def _pass(self, number: int) -> Indices:
        return range(len(self._base))

    def _tell(self) -> int:
        position = self._base._i
        return position if position < len(self) else 0

    def _jump(self, position: int) -> None:
        self._base._i = position % len(self)

    def _go_to(self, position: int) -> None:
        self._base.seek(position % len(self))

    def _stretches(self, position: int) -> Iterator[Indices]:
        yield self._pass(0)[position % len(self) :]

    def _left(self, position: int) -> int:
        return len(self) - position % len(self)


def chosen(order: Indices, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """What `order` has at these positions."""
    if isinstance(order, range):
        return positions + order.start if order.start else positions
    return order[positions]


def samples_in(reader: Reader, order: Indices, form: Form, chunk_size: int) -> Iterator[Any]:
    """Samples of a reader in this order, with `LEFT_OUT` in the place of some.

    Those that follow each other are read as the reader's own `iter` reads them.
    """
    if reader._policy.is_strict:
        if isinstance(order, range):
            return reader._iter_impl(order.start, order.stop, *form, chunk_size)
        return samples_at(reader, order, form)
    if isinstance(order, range):
        return in_range(reader, order.start, order.stop, form, chunk_size)
    return at_indices(reader, order, form)


class Augment(ABC):
    """Base of all augments, which wrap a reader and change which of its samples come when.

    Augments wrap readers and other augments::

        with Shuffler(Range(MsgpackReader("train.msgpack"), 0, 1000)) as reader:
            for sample in reader:
                ...

    An augment has a position, from which iterators and batches go on. At the end it goes back to the beginning, for the
    next pass. With iterators it moves on when the next sample is asked for, so that a loop that was left early is taken
    up again with the sample that it was left at (but see `Range`). Augments are not safe to use from several threads.

    Parameters:
        reader: a reader or an augment.
    """

    def __init__(self, reader: Reader | Augment) -> None:
        self._reader = reader

    def __enter__(self: Self) -> Self:
        self._reader.__enter__()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reader.__exit__(exc_type, exc, traceback)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._reader!r}>"

    def __len__(self) -> int:
        """Number of samples of a pass."""
        return len(self._reader)

    def __iter__(self) -> Iterator[Any]:
        return self.iter()

    @abstractmethod
    def iter(
        self, yield_key: bool = False, raw: bool = False, copy: bool = True, chunk_size: int = 16
    ) -> Iterator[Any]:
        """Iterate over samples from the position on, which moves on.

        Parameters:
            yield_key: give pairs of key and sample.
            raw: give packed samples.
            copy: False allows views of larger buffers instead of copies, which is faster, but one sample may then keep
                the memory of many alive.
            chunk_size: samples read at once; readers of files may read more.

        Raises:
            ValueError: `chunk_size` is below 1.
        """

    def rawiter(self, yield_key: bool = False) -> Iterator[Any]:
        """Same as ``iter(yield_key=yield_key, raw=True)``."""
        return self.iter(yield_key=yield_key, raw=True)

    @abstractmethod
    def seek(self, index: SupportsIndex) -> None:
        """Set the position."""

    def batches(
        self,
        batch_size: int,
        *,
        drop_last: bool = False,
        columns: Sequence[str] | None = None,
        raw: bool = False,
    ) -> Batches:
        """The samples that an iterator would give, in batches. The position moves on with each batch.

        Parameters:
            batch_size: samples of a batch; the last may have fewer.
            drop_last: leave out the last batch if it is not full. Its samples count as given.
            columns: names of the columns that batches have; None for all, or those that the reader was opened with.
            raw: no columns, and packed samples.
        """
        return PassBatches(self, batch_size, drop_last, columns, raw)

    # -- what one augment asks of another, see `Passes`

    @property
    def _inner(self) -> Passes:
        return self._reader if isinstance(self._reader, Augment) else Whole(self._reader)

    @property
    def _base(self) -> Reader:
        return self._reader._base if isinstance(self._reader, Augment) else self._reader

    _endless = False

    @abstractmethod
    def _pass(self, number: int) -> Indices: ...

    @abstractmethod
    def _tell(self) -> int: ...

    @abstractmethod
    def _jump(self, position: int) -> None: ...

    def _go_to(self, position: int) -> None:
        self._jump(position)

    @abstractmethod
    def _stretches(self, position: int) -> Iterator[Indices]: ...

    @abstractmethod
    def _left(self, position: int) -> int: ...


class PlacedAugment(Augment):
    """An augment that has a position of its own and gives one pass at a time."""

    def __init__(self, reader: Reader | Augment) -> None:
        super().__init__(reader)
        self._number = 0  # of the pass
        self._i = 0

    def seek(self, index: SupportsIndex) -> None:
        """Go to a sample, counted through all passes: ``k * len(self) + i`` is sample `i` of pass `k`.

        Raises:
            IndexError: `index` is negative.
        """
        position = operator.index(index)
        if position < 0:
            raise IndexError(
                f"index {position} is negative: a {type(self).__name__} counts from its first pass on"
            )
        self._jump(position)

    def iter(
        self, yield_key: bool = False, raw: bool = False, copy: bool = True, chunk_size: int = 16
    ) -> Iterator[Any]:
        return self._iterate(Form(yield_key, raw, copy), check_chunk_size(chunk_size))

    def _iterate(self, form: Form, chunk_size: int) -> Iterator[Any]:
        samples = self._samples(form, chunk_size)
        for sample in samples if self._base._policy.is_strict else passing(self, samples):
            yield sample
            sample = None  # noqa: PLW2901  # its memory may serve the next
            self._i += 1
        self._number += 1
        self._i = 0

    def _samples(self, form: Form, chunk_size: int) -> Iterator[Any]:
        """The rest of the pass, with `LEFT_OUT` in the place of some samples."""
        return samples_in(self._base, self._pass(self._number)[self._i :], form, chunk_size)

    def _tell(self) -> int:
        return self._number * len(self) + self._i

    def _jump(self, position: int) -> None:
        self._number, self._i = divmod(position, max(1, len(self)))

    def _stretches(self, position: int) -> Iterator[Indices]:
        number, i = divmod(position, len(self))
        yield self._pass(number)[i:]

    def _left(self, position: int) -> int:
        return len(self) - position % len(self)


def check_chunk_size(chunk_size: SupportsIndex) -> int:
    """A number of samples that can be read at once.

    Raises:
        ValueError: it is below 1.
    """
    size = operator.index(chunk_size)
    if size < 1:
        raise ValueError(f"chunk_size is {size}, but at least one sample is read at once")
    return size
