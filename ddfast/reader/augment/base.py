"""The base classes of augments."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, SupportsIndex, TypeVar

from ddfast.loading.options import BatchOptions, check_columns
from ddfast.reader.abc import Reader
from ddfast.reader.augment.batches import PassBatches
from ddfast.reader.augment.passes import Passes, PassOrder, ReaderPasses, samples_in
from ddfast.reader.batches import Batches
from ddfast.reader.contract import SampleForm
from ddfast.reader.error_handling import advancing
from ddfast.reader.position import PositionUse

__all__ = ["Augment", "PositionedAugment", "check_chunk_size"]

Self = TypeVar("Self", bound="Augment")


class Augment(ABC):
    """Base class of all augments, which wrap a reader and change the order or the selection of its samples.

    Augments wrap readers and other augments::

        with Shuffler(Range(MsgpackReader("train.msgpack"), 0, 1000)) as reader:
            for sample in reader:
                ...

    An augment has a position, from which iterators and batches continue. At the end it returns to the beginning, for
    the next pass. An iterator advances it when the next sample is requested, so that after a loop that ends early, the
    next loop starts with the sample at which the first one ended (but see `Range`). Use an augment in one thread at a
    time: loops in two threads raise `SharedPositionError`.

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
        """Iterate over samples from the position on, which advances.

        Parameters:
            yield_key: yield pairs of key and sample.
            raw: yield packed samples.
            copy: False allows views of larger buffers instead of copies. This is faster, but one sample can keep the
                memory of many alive.
            chunk_size: samples read at once; readers of files may read more.

        Raises:
            ValueError: `chunk_size` is below 1.
        """

    def rawiter(self, yield_key: bool = False) -> Iterator[Any]:
        """The same as ``iter(yield_key=yield_key, raw=True)``."""
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
        """The samples that an iterator would yield, in batches. The position advances with each batch.

        Parameters:
            batch_size: samples per batch; the last batch may have fewer.
            drop_last: leave out the last batch if it is not full. The position still advances past its samples.
            columns: names of the columns to build; None for all, or those that the reader was opened with.
            raw: build no columns and deliver packed samples.
        """
        columns = check_columns(columns)
        return self._open_batches(BatchOptions(batch_size, drop_last=drop_last, columns=columns, raw=raw))

    def _open_batches(self, options: BatchOptions) -> Batches:
        return PassBatches(self, options)

    # -- used by other augments, see `Passes`

    @property
    def _inner(self) -> Passes:
        return self._reader if isinstance(self._reader, Augment) else ReaderPasses(self._reader)

    @property
    def _base(self) -> Reader:
        return self._reader._base if isinstance(self._reader, Augment) else self._reader

    _endless = False

    @abstractmethod
    def _pass(self, number: int) -> PassOrder: ...

    @abstractmethod
    def _tell(self) -> int: ...

    @abstractmethod
    def _jump(self, position: int) -> None: ...

    def _go_to(self, position: int) -> None:
        self._jump(position)

    @abstractmethod
    def _stretches(self, position: int) -> Iterator[PassOrder]: ...

    @abstractmethod
    def _left(self, position: int) -> int: ...


class PositionedAugment(Augment):
    """An augment that has its own position and yields one pass at a time."""

    def __init__(self, reader: Reader | Augment) -> None:
        super().__init__(reader)
        self._number = 0  # of the pass
        self._i = 0
        self._use = PositionUse()

    def __copy__(self) -> PositionedAugment:
        """An augment of the same reader with its own position."""
        augment = self.__class__.__new__(self.__class__)
        augment.__dict__.update(self.__dict__)
        augment._use = PositionUse()
        return augment

    def seek(self, index: SupportsIndex) -> None:
        """Set the position, counted over all passes: ``k * len(self) + i`` is sample `i` of pass `k`.

        Raises:
            IndexError: `index` is negative.
        """
        position = operator.index(index)
        if position < 0:
            raise IndexError(
                f"index {position} is negative; positions of a {type(self).__name__} count from its first pass"
            )
        self._use.end(self._use.begin(self))
        self._jump(position)

    def iter(
        self, yield_key: bool = False, raw: bool = False, copy: bool = True, chunk_size: int = 16
    ) -> Iterator[Any]:
        return self._iterate(SampleForm(yield_key, raw, copy), check_chunk_size(chunk_size))

    def _iterate(self, form: SampleForm, chunk_size: int) -> Iterator[Any]:
        use = self._use.begin(self)
        try:
            samples = self._samples(form, chunk_size)
            for sample in samples if self._base._policy.is_strict else advancing(self, samples):
                yield sample
                sample = None  # noqa: PLW2901  # frees its memory for the next sample
                self._i += 1
            self._number += 1
            self._i = 0
        finally:
            self._use.end(use)

    def _samples(self, form: SampleForm, chunk_size: int) -> Iterator[Any]:
        """The rest of the pass, with `OMITTED` in the place of samples that are left out."""
        return samples_in(self._base, self._pass(self._number)[self._i :], form, chunk_size)

    def _tell(self) -> int:
        return self._number * len(self) + self._i

    def _jump(self, position: int) -> None:
        self._number, self._i = divmod(position, max(1, len(self)))

    def _stretches(self, position: int) -> Iterator[PassOrder]:
        number, i = divmod(position, len(self))
        yield self._pass(number)[i:]

    def _left(self, position: int) -> int:
        return len(self) - position % len(self)


def check_chunk_size(chunk_size: SupportsIndex) -> int:
    """A chunk size as an int.

    Raises:
        ValueError: it is below 1.
    """
    size = operator.index(chunk_size)
    if size < 1:
        raise ValueError(f"chunk_size is {size}, and must be at least 1")
    return size
