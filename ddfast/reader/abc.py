"""The base class of all readers."""

from __future__ import annotations

import builtins
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from ddfast._util.iteration import not_at_end
from ddfast.loading.batched import BatchedReader
from ddfast.loading.on_error import BadSample, ErrorPolicy, OnError, SamplePlace
from ddfast.loading.options import BatchOptions, check_columns
from ddfast.loading.stats import ReaderStats
from ddfast.reader.contract import PackedSource, SampleForm
from ddfast.reader.position import PositionUse

# Not imported before the first batch: importing numpy would take most of the time to the first sample.
if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ddfast.batch import Batch
    from ddfast.reader.batches import Batches

Self = TypeVar("Self", bound="Reader")

# Size of a sample that block shuffle assumes for readers that do not know it without reading.
TYPICAL_BYTES = 16 << 10


class Reader(BatchedReader["Batches"]):
    """Base class of all readers: samples by index and by key, one after the other, in slices and in batches.

    Use readers as context managers::

        with MsgpackReader("train.msgpack") as reader:
            for sample in reader:
                ...

    A reader has a position, from which `next` and iteration continue. Subclasses implement ``__len__``,
    ``__contains__``, ``__exit__``, `find_key`, `find_index`, `get` and `slice`.

    Parameters:
        on_error: how iteration, slices and batches handle damaged samples, see `ddfast.policy`: ``"raise"`` their
            error, ``"skip"`` them, or a function that decides.

    Attributes:
        getitem_max_slice_length: ``reader[a:b]`` with at least this many samples reads them in chunks.
        getitem_chunk_size: samples per chunk.
    """

    # Attributes that are not copied.
    _do_not_copy: tuple[str, ...] = ()

    # Set by readers for which reading packed samples ahead with `batches` is the fastest way to samples at any indices.
    _packed: PackedSource | None = None

    def __init__(self, *, on_error: OnError = "raise") -> None:
        self._i = 0
        self._use = PositionUse()
        self._policy = ErrorPolicy(on_error)
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
        """Counters of what the reader has done so far."""
        return self._policy.counters.total()

    @property
    def quarantine(self) -> tuple[BadSample, ...]:
        """The damaged samples that were left out, each once, in the order in which they were first due."""
        return self._policy.quarantine

    def _place(self, index: int) -> SamplePlace:
        """The path that the sample is read from, '' if there is none, and its key."""
        return "", self.find_key(index)

    def __copy__(self: Self) -> Self:
        """A reader of the same samples with its own position."""
        reader = self.__class__.__new__(self.__class__)
        reader.__dict__.update((k, v) for k, v in self.__dict__.items() if k not in self._do_not_copy)
        reader._use = PositionUse()
        return reader

    @abstractmethod
    def find_key(self, index: int) -> str:
        """Key of the sample with this index.

        Raises:
            IndexError: the index is out of range.
        """

    @abstractmethod
    def find_index(self, key: str) -> int:
        """Index of the sample with this key.

        Raises:
            KeyError: no sample has this key.
        """

    def seek_index(self, index: int) -> None:
        """Set the position to this index; negative indices count from the end.

        Raises:
            IndexError: the index is out of range.
        """
        n = len(self)
        position = index + n if index < 0 else index
        if not 0 <= position < n:
            raise IndexError(f"index {index} out of range for length {n} reader")
        self._use.end(self._use.begin(self))
        self._i = position

    def seek(self, index: int) -> None:
        """The same as `seek_index`."""
        self.seek_index(index)

    def seek_key(self, key: str) -> None:
        """Set the position to the sample with this key.

        Raises:
            KeyError: no sample has this key.
        """
        self.seek_index(self.find_index(key))

    @abstractmethod
    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any:
        """The sample with this index.

        Parameters:
            index: sample index; negative indices count from the end.
            yield_key: return a pair of key and sample.
            raw: return the packed sample.
            copy: False allows a reader to return views of larger buffers instead of copies. This is faster, but one
                sample can keep the memory of many alive.

        Raises:
            IndexError: the index is out of range.
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
        """The samples ``[start, stop)``, as in a Python slice. The other parameters are those of `get`."""

    def next(self) -> Any:
        """The sample at the position, which advances by one. Iteration is faster.

        Raises:
            StopIteration: the position is at the end.
        """
        return self._advance(raw=False)

    def __next__(self) -> Any:
        return self.next()

    def rawnext(self) -> bytes:
        """The same as `next`, but packed."""
        return bytes(self._advance(raw=True))

    def _advance(self, raw: bool) -> Any:
        n = len(self)
        use = self._use.begin(self)
        try:
            if self._i >= n:
                raise StopIteration
            if self._policy.is_strict:
                sample = not_at_end(self.get, self._i, raw=raw)
            else:
                sample = next(self._advancing(self._i, n, 1, SampleForm(raw=raw)))
            self._i += 1
            return sample
        finally:
            self._use.end(use)

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
        """Iterate over samples; the position advances with each.

        All iterators of a reader move its one position, so that two of them without `start` in one loop share the
        samples. In several threads at a time, use iterators with `start`: each delivers all of its samples, and only
        one of them moves the position.

        Parameters:
            start: index of the first sample. None for the position, or for 0 if the position is at the end.
            stop: index after the last sample, as in a slice.
            yield_key, raw, copy: as those of `get`.
            chunk_size: samples read at once; readers of files may read more.

        Raises:
            IndexError: `start` is out of range.
            SharedPositionError: `start` is None, and another thread uses the position.
        """
        n = len(self)
        if start is not None and not -n <= start < n:
            raise IndexError(f"index {start} out of range for length {n} reader")
        use = self._use.begin(self) if start is None else self._use.begin_if_free()
        if use is None:
            yield from self.slice(*slice(start, stop).indices(n)[:2], yield_key, raw, copy)
            return
        try:
            if start is None:
                if self._i >= n > 0:
                    self.seek_index(0)
                start = self._i
            start, stop, _ = slice(start, stop).indices(n)
            if self._policy.is_strict:
                samples = self._iter_impl(start, stop, yield_key, raw, copy, chunk_size)
            else:
                samples = self._advancing(start, stop, chunk_size, SampleForm(yield_key, raw, copy))
            for sample in samples:
                self._i += 1
                yield sample
        finally:
            self._use.end(use)

    def _advancing(self, start: int, stop: int, chunk_size: int, form: SampleForm) -> Iterator[Any]:
        """The samples that are not left out; the position advances past the others."""
        from ddfast.reader.error_handling import advancing, samples_in_range

        return advancing(self, samples_in_range(self, start, stop, form, chunk_size))

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        for first in range(start, stop, chunk_size):
            yield from self.slice(first, min(stop, first + chunk_size), yield_key, raw, copy)

    def __iter__(self) -> Iterator[Any]:
        return self.iter()

    def rawiter(self, yield_key: bool = False) -> Iterator[Any]:
        """The same as ``iter(yield_key=yield_key, raw=True)``."""
        return self.iter(yield_key=yield_key, raw=True)

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        """Samples at any indices, read together.

        Parameters:
            indices: sample indices in any order, shape ``(n,)``; negative indices count from the end.
            columns: names of the columns to build; None for all, or those that the reader was opened with.
            raw: build no columns and return packed samples.

        Raises:
            SampleIndexError: an index is out of range.
            CorruptSampleError: a sample is damaged.
        """
        from ddfast.batch import Batch
        from ddfast.dataset.positions import check_positions
        from ddfast.loading.known import KnownColumns
        from ddfast.reader.origin import ReaderOrigin

        positions = check_positions(indices, len(self), repr(self))
        samples = [self.get(i, raw=True, copy=False) for i in positions.tolist()]
        selection = check_columns(columns)
        if not samples:
            return KnownColumns(repr(self)).empty(ReaderOrigin(self), selection, raw)
        return Batch.of(samples, positions, ReaderOrigin(self), columns=selection, raw=raw)

    def _open_batches(self, options: BatchOptions) -> Batches:
        from ddfast.dataset.positions import check_positions
        from ddfast.loading.known import KnownColumns
        from ddfast.loading.order import plan_pass
        from ddfast.reader.batches import OnDemandBatches
        from ddfast.reader.error_handling import batch_at

        n = len(self)
        positions = partial(check_positions, n=n, name=repr(self))
        order, part = plan_pass(options, n, n * TYPICAL_BYTES, positions)
        known = KnownColumns(repr(self))
        read = partial(batch_at, self, columns=options.columns, raw=options.raw, known=known)
        return OnDemandBatches(order, part, read)
