"""What every reader offers."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from ddfast.loading.on_error import BadSample, OnError, Place, Policy
from ddfast.loading.options import check_columns
from ddfast.loading.stats import ReaderStats
from ddfast.reader.form import Form

# Not imported before the first batch: what batches need, numpy above all, takes most of the time to a first sample.
if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ddfast.batch import Batch
    from ddfast.loading.order import Shuffle
    from ddfast.reader.ahead import Packed
    from ddfast.reader.batches import Batches

Self = TypeVar("Self", bound="Reader")

# What block shuffle takes a sample's size to be where reading is the only way to tell.
TYPICAL_BYTES = 16 << 10


class Reader(ABC):
    """Base of all readers: samples by index and by key, one after the other, or in slices.

    Use readers as context managers::

        with MsgpackReader("train.msgpack") as reader:
            for sample in reader:
                ...

    A reader has a position, from which `next` and iteration go on. Subclasses implement ``__len__``, ``__contains__``,
    ``__exit__``, `find_key`, `find_index`, `get` and `slice`.

    Parameters:
        on_error: what iteration, slices and batches do with damaged samples, see `ddfast.policy`: ``"raise"`` their
            error, ``"skip"`` them, or a function to ask.

    Attributes:
        getitem_max_slice_length: ``reader[a:b]`` of at least this many samples reads them in chunks.
        getitem_chunk_size: samples of such a chunk.
    """

    # Attributes that a copy does not take along.
    _do_not_copy: tuple[str, ...] = ()

    # Given by readers for which the fastest way to any samples is to have `batches` read them ahead, packed.
    _packed: Packed | None = None

    def __init__(self, *, on_error: OnError = "raise") -> None:
        self._i = 0
        self._policy = Policy(on_error)
        self.getitem_max_slice_length = 512
        self.getitem_chunk_size = 64

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def __contains__(self, key: object) -> bool:
        """Whether there is a sample with this key."""

    def __enter__(self: Self) -> Self:
        return self

    @abstractmethod
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} samples>"

    def stats(self) -> ReaderStats:
        """What it has done so far, in numbers."""
        return self._policy.tally.total()

    @property
    def quarantine(self) -> tuple[BadSample, ...]:
        """The damaged samples that were left out, each once, in the order in which they were first due."""
        return self._policy.quarantine

    def _place(self, index: int) -> Place:
        """What the sample is read from, '' if that has no path, and its key."""
        return "", self.find_key(index)

    def __copy__(self: Self) -> Self:
        """A reader of the same samples with a position of its own."""
        reader = self.__class__.__new__(self.__class__)
        reader.__dict__.update((k, v) for k, v in self.__dict__.items() if k not in self._do_not_copy)
        return reader

    @abstractmethod
    def find_key(self, index: int) -> str:
        """Key of the sample with this index.

        Raises:
            IndexError: there is none.
        """

    @abstractmethod
    def find_index(self, key: str) -> int:
        """Index of the sample with this key.

        Raises:
            KeyError: there is none.
        """

    def seek_index(self, index: int) -> None:
        """Go to the sample with this index; negative ones count from the end.

        Raises:
            IndexError: there is none.
        """
        n = len(self)
        position = index + n if index < 0 else index
        if not 0 <= position < n:
            raise IndexError(f"index {index} out of range for length {n} reader")
        self._i = position

    def seek(self, index: int) -> None:
        """Same as `seek_index`."""
        self.seek_index(index)

    def seek_key(self, key: str) -> None:
        """Go to the sample with this key.

        Raises:
            KeyError: there is none.
        """
        self.seek_index(self.find_index(key))

    @abstractmethod
    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any:
        """The sample with this index.

        Parameters:
            index: sample index; negative ones count from the end.
            yield_key: give a pair of key and sample.
            raw: give the packed sample.
            copy: False allows a reader to give views of larger buffers instead of copies, which is faster, but one
                sample may then keep the memory of many alive.

        Raises:
            IndexError: there is none.
        """

    @abstractmethod
    def slice(
        self,
        start: int,
        stop: int | None = None,
        yield_key: bool = False,
        raw: bool = False,
        copy: bool = True,
    ) -> Iterator[Any]:
        """The samples ``[start, stop)``, by the rules of a Python slice. Parameters as those of `get`."""

    def next(self) -> Any:
        """The sample at the position, which moves on by one. Iterating is faster.

        Raises:
            StopIteration: the position is the end.
        """
        return self._advance(raw=False)

    def __next__(self) -> Any:
        return self.next()

    def rawnext(self) -> bytes:
        """As `next`, but packed."""
        return bytes(self._advance(raw=True))

    def _advance(self, raw: bool) -> Any:
        n = len(self)
        if self._policy.is_strict:
            if self._i >= n:
                raise StopIteration
            sample = self.get(self._i, raw=raw)
            self._i += 1
            return sample
        sample = next(self._passing(self._i, n, 1, Form(raw=raw)))
        self._i += 1
        return sample

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: builtins.slice[Any, Any, Any]) -> Iterator[Any]: ...
    def __getitem__(self, index: Any) -> Any:
        """One sample, or for a slice with step 1, an iterator over samples."""
        if not isinstance(index, slice):
            return self.get(index)
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise ValueError("step must be 1")
        if stop - start >= self.getitem_max_slice_length:
            return self.iter(start, stop, chunk_size=self.getitem_chunk_size)
        return self.slice(start, stop)

    def iter(
        self,
        start: int | None = None,
        stop: int | None = None,
        yield_key: bool = False,
        raw: bool = False,
        copy: bool = True,
        chunk_size: int = 16,
    ) -> Iterator[Any]:
        """Iterate over samples; the position moves on with each.

        Parameters:
            start: index of the first sample. None for the position; at the end, that is the beginning.
            stop: index behind the last sample, as in a slice.
            yield_key, raw, copy: as those of `get`.
            chunk_size: samples read at once; readers of files may read more.

        Raises:
            IndexError: there is no sample with index `start`.
        """
        n = len(self)
        if start is None:
            if self._i >= n > 0:
                self.seek_index(0)
            start = self._i
        elif not -n <= start < n:
            raise IndexError(f"index {start} out of range for length {n} reader")
        start, stop, _ = slice(start, stop).indices(n)
        if self._policy.is_strict:
            samples = self._iter_impl(start, stop, yield_key, raw, copy, chunk_size)
        else:
            samples = self._passing(start, stop, chunk_size, Form(yield_key, raw, copy))
        for sample in samples:
            self._i += 1
            yield sample

    def _passing(self, start: int, stop: int, chunk_size: int, form: Form) -> Iterator[Any]:
        """Samples but for those that are left out, past which the position moves on."""
        from ddfast.reader.lenient import in_range, passing

        return passing(self, in_range(self, start, stop, form, chunk_size))

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        for first in range(start, stop, chunk_size):
            yield from self.slice(first, min(stop, first + chunk_size), yield_key, raw, copy)

    def __iter__(self) -> Iterator[Any]:
        return self.iter()

    def rawiter(self, yield_key: bool = False) -> Iterator[Any]:
        """Same as ``iter(yield_key=yield_key, raw=True)``."""
        return self.iter(yield_key=yield_key, raw=True)

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        """Samples at any indices, read together.

        Parameters:
            indices: sample indices in any order, shape ``(n,)``; negative ones count from the end.
            columns: names of the columns that the batch has; None for all, or those that the reader was opened with.
            raw: no columns, and packed samples.

        Raises:
            SampleIndexError: there is no such sample.
            CorruptSampleError: one of the samples is damaged.
        """
        from ddfast.batch import Batch
        from ddfast.dataset.positions import check_positions
        from ddfast.reader.batches import ReaderOrigin

        positions = check_positions(indices, len(self), repr(self))
        samples = [self.get(i, raw=True, copy=False) for i in positions.tolist()]
        return Batch.of(samples, positions, ReaderOrigin(self), columns=check_columns(columns), raw=raw)

    def batches(
        self,
        batch_size: int,
        *,
        indices: ArrayLike | None = None,
        shuffle: Shuffle = False,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
        columns: Sequence[str] | None = None,
        raw: bool = False,
    ) -> Batches:
        """One pass over the dataset in batches; see `ddfast.AsyncReader.batches`. The reader's position stays.

        Readers of msgpack files read batches ahead, within a budget of memory.
        """
        from ddfast.dataset.positions import check_positions
        from ddfast.loading.order import Part, epoch_order, listed_order
        from ddfast.reader.batches import PlannedBatches
        from ddfast.reader.lenient import batch_at

        n = len(self)
        if indices is None:
            order = epoch_order(n, n * TYPICAL_BYTES, shuffle, seed, epoch)
        else:
            order = listed_order(check_positions(indices, n, repr(self)), shuffle)
        part = Part(len(order), batch_size, start, rank, world_size, drop_last)
        return PlannedBatches(order, part, partial(batch_at, self, columns=check_columns(columns), raw=raw))
