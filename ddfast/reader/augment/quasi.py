"""The samples of a reader in nearly random order, read in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, inf
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ddfast._native.arena import Pool
from ddfast._native.shuffle import exchange, exchange_objects
from ddfast.batch import Batch
from ddfast.errors import ClosedError, KernelError, PickleRefusedError
from ddfast.loading.known import KnownColumns
from ddfast.loading.options import BatchOptions
from ddfast.loading.partial import batch_of_unchecked
from ddfast.reader.abc import Reader
from ddfast.reader.augment.base import Augment, PositionedAugment, check_chunk_size
from ddfast.reader.augment.batches import AugmentBatches, PassBatches
from ddfast.reader.augment.draws import Draws, check_seed
from ddfast.reader.augment.passes import PassOrder, order_at
from ddfast.reader.batches import Batches
from ddfast.reader.contract import PackedSource, SampleForm
from ddfast.reader.error_handling import OMITTED
from ddfast.reader.origin import ReaderOrigin
from ddfast.reader.read_ahead import RUN_BYTES, FailedSample, runs_at

__all__ = ["QuasiShuffler"]

# Samples that leave the buffer together after the last sample was read.
TAIL = 64

# Memory of batches that is kept for reuse, which is much faster than allocating it.
POOL_BYTES = 32 << 20


class QuasiShuffler(PositionedAugment):
    """Yields the samples of a reader in nearly random order, and reads them in chunks.

    Chunks of consecutive samples are read in random order. The first ones fill a buffer; then each sample that is read
    replaces a random one in the buffer, which is yielded. Finally, the content of the buffer is yielded in order. Each
    pass has a different order.

    The buffer holds packed samples if the reader provides them and they are small, and otherwise samples in the form in
    which they are yielded.

    Parameters:
        reader: a reader or an augment.
        buf_size: samples in the buffer, rounded up to whole chunks; below 1, a fraction of ``len(reader)``. A larger
            buffer mixes better and takes more memory. As many chunks as there are classes are usually sufficient.
        chunk_size: samples per chunk. Larger chunks are read faster and mix less.
        seed: a number; None for ``len(reader) * self.buf_size * chunk_size``.

    Raises:
        ValueError: `buf_size` is not a number above 0, or `chunk_size` is below 1.
        TypeError: the seed is not a number.
    """

    def __init__(
        self,
        reader: Reader | Augment,
        buf_size: float = 0.01,
        chunk_size: SupportsIndex = 16,
        seed: SupportsIndex | float | None = None,
    ) -> None:
        super().__init__(reader)
        n = len(reader)
        self.reader = reader
        self.chunk_size = check_chunk_size(chunk_size)
        self.buf_size = -(-_buffered(buf_size, n) // self.chunk_size) * self.chunk_size
        self.num_chunks = -(-n // self.chunk_size)
        self._seed = check_seed(n * self.buf_size * self.chunk_size if seed is None else seed)

    def iter(
        self, yield_key: bool = False, raw: bool = False, copy: bool = True, chunk_size: int | None = None
    ) -> Iterator[Any]:
        """See `Augment.iter`. `chunk_size` does not change which chunks are shuffled."""
        return super().iter(yield_key, raw, copy, self.chunk_size if chunk_size is None else chunk_size)

    def _open_batches(self, options: BatchOptions) -> Batches:
        packed = self._base._packed
        return PassBatches(self, options) if packed is None else _QuasiBatches(self, packed, options)

    def _pass(self, number: int) -> PassOrder:
        return self._plan(number).order()

    def _plan(self, number: int) -> _Plan:
        n = len(self)
        draws = Draws(self._seed + number * n)
        chunks = draws.permutation(self.num_chunks)
        size = min(self.chunk_size, n)
        positions = (chunks[:, np.newaxis] * size + np.arange(size)).ravel()
        places = int(np.count_nonzero(positions[: self.buf_size] < n))
        arrivals = order_at(self._inner._pass(number), positions[positions < n])
        return _Plan(arrivals, places, draws.below(places, n - places) if n > places else _NO_DRAWS)

    def _samples(self, form: SampleForm, chunk_size: int) -> Iterator[Any]:
        packed = self._base._packed
        plan = self._plan(self._number)
        arrivals = plan.from_position(self._i)
        if packed is None or packed.is_large:
            own = form._replace(copy=True)  # views would keep other samples in memory
            runs = _through_buffer(runs_at(self._base, arrivals.indices, own), arrivals)
            return _checked(runs, self._base, plan.order()[self._i :])
        runs = _through_buffer(runs_at(self._base, arrivals.indices, _PACKED), arrivals)
        return _decoded(runs, packed, self._base, plan.order()[self._i :], form)


_PACKED = SampleForm(raw=True)
_NO_DRAWS = np.empty(0, np.uint32)


def _buffered(buf_size: float, n: int) -> int:
    """Number of samples that a buffer should hold."""
    if not 0 < buf_size < inf:
        raise ValueError(f"buf_size is {buf_size}, not a number of samples or a fraction above 0")
    return ceil(n * buf_size) if buf_size < 1 else int(buf_size)


class _Arrivals(NamedTuple):
    """The samples to read from a position of a pass on.

    Parameters:
        indices: samples in the order of reading: first those that the buffer holds at that position.
        places: for each sample of the buffer, its place in it.
        draws: for each further sample, the place that it takes.
    """

    indices: NDArray[np.int64]
    places: NDArray[np.int64]
    draws: NDArray[np.uint32]


class _Plan(NamedTuple):
    """One pass.

    Parameters:
        arrivals: all samples in the order of reading.
        places: size of the buffer, which the first samples fill.
        draws: for each further sample, the place in the buffer that it takes.
    """

    arrivals: NDArray[np.int64]
    places: int
    draws: NDArray[np.uint32]

    def order(self) -> NDArray[np.int64]:
        """Samples in the order in which they are yielded."""
        buffer, given = self._exchanged(len(self.draws))
        return np.concatenate([given, buffer])

    def from_position(self, position: int) -> _Arrivals:
        """The samples to read if the pass begins at this position."""
        done = min(position, len(self.draws))
        held = self._exchanged(done)[0][position - done :]
        places = np.argsort(held, kind="stable")  # samples that are adjacent in the file are read together
        indices = np.concatenate([held[places], self.arrivals[self.places + done :]])
        return _Arrivals(indices, places, self.draws[done:])

    def _exchanged(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The content of the buffer after `count` samples were yielded, and these samples."""
        buffer = self.arrivals[: self.places].copy()
        given = exchange(buffer, self.arrivals[self.places : self.places + count], self.draws[:count])
        return buffer, given


def _through_buffer(runs: Iterator[list[Any]], arrivals: _Arrivals) -> Iterator[list[Any]]:
    """Samples in the order in which they are yielded, in short runs."""
    buffer: list[Any] = [None] * len(arrivals.places)
    filled = exchanged = 0
    for run in runs:
        places = arrivals.places[filled : filled + len(run)].tolist()
        for i, place in enumerate(places):
            buffer[place] = run[i]
        filled += len(places)
        given = run[len(places) :] if places else run
        exchange_objects(buffer, given, arrivals.draws[exchanged : exchanged + len(given)])
        exchanged += len(given)
        yield given
    buffer.reverse()
    while buffer:
        yield buffer[: -TAIL - 1 : -1]
        del buffer[-TAIL:]


def _checked(runs: Iterator[list[Any]], reader: Reader, order: NDArray[np.int64]) -> Iterator[Any]:
    """The samples of runs; the reader's policy handles a failed sample when it is due."""
    origin = ReaderOrigin(reader)
    position = 0
    for run in runs:
        for sample in run:
            if type(sample) is FailedSample:
                reader._policy.pass_over(sample.error, origin, int(order[position]))
                yield OMITTED
            else:
                yield sample
            position += 1


def _decoded(
    runs: Iterator[list[Any]],
    packed: PackedSource,
    reader: Reader,
    order: NDArray[np.int64],
    form: SampleForm,
) -> Iterator[Any]:
    """Packed samples in the requested form; the reader's policy handles a damaged sample when it is due.

    Parameters:
        runs: packed or failed samples.
        packed, reader: their source.
        order: their indices.
        form: the requested form.
    """
    origin = ReaderOrigin(reader)
    position = 0
    for run in runs:
        at = 0
        while at < len(run):
            indices = order[position : position + len(run) - at]
            given = _decoded_run(run, at, packed, indices, form.raw)
            if isinstance(given, FailedSample):
                reader._policy.pass_over(given.error, origin, int(indices[0]))
                given = [OMITTED]
                yield OMITTED
            elif form.yield_key:
                yield from zip(packed.origin.keys_of(indices[: len(given)]), given, strict=True)
            else:
                yield from given
            at += len(given)
            position += len(given)


def _decoded_run(
    run: list[Any], at: int, packed: PackedSource, indices: NDArray[np.int64], raw: bool
) -> list[Any] | FailedSample:
    """At least one sample of a run, from position `at` on; or the failure of the first of them."""
    first = run[at]
    if isinstance(first, FailedSample):
        return first
    if raw:
        return [first]
    try:
        return packed.origin.decoder.unpack_run(run, at, RUN_BYTES)
    except (KernelError, PickleRefusedError) as error:
        explained = packed.origin.explain(error, int(indices[0]))
        explained.__cause__ = error
        return FailedSample(explained)


class _QuasiBatches(AugmentBatches):
    """Batches of the samples that leave the buffer of a QuasiShuffler."""

    def __init__(self, augment: QuasiShuffler, packed: PackedSource, options: BatchOptions) -> None:
        super().__init__(augment, options)
        self._packed = packed
        self._columns = packed.columns if options.columns is None else options.columns
        plan = augment._plan(augment._number)
        self._order = plan.order()[augment._i :]
        arrivals = plan.from_position(augment._i)
        self._runs = _through_buffer(runs_at(augment._base, arrivals.indices, _PACKED), arrivals)
        self._waiting: list[Any] = []
        self._pool = Pool(POOL_BYTES)
        self._known = KnownColumns(repr(augment._base))

    def _read(self) -> Batch:
        indices = self._order[: self._batch_size]
        while len(self._waiting) < len(indices):
            run = next(self._runs, None)
            if run is None:
                raise ClosedError("these batches ended with an earlier error; open new ones")
            self._waiting += run
        samples = self._waiting[: len(indices)]
        del self._waiting[: len(indices)]
        self._order = self._order[len(indices) :]
        batch = batch_of_unchecked(
            [sample.error if type(sample) is FailedSample else sample for sample in samples],
            indices,
            self._packed.origin,
            self._augment._base._policy,
            columns=self._columns,
            raw=self._options.raw,
            known=self._known,
            pool=self._pool,
        )
        if not self._options.raw:
            self._known.note(batch, self._columns)
            self._known.warn_of_missing(batch, self._columns)
        return batch

    def close(self) -> None:
        super().close()
        self._runs = iter(())
        self._waiting.clear()
