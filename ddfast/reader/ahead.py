"""Samples at any indices of a reader, one after the other, read ahead where that is the fastest way to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfast.batch import Batch
from ddfast.errors import ClosedError, DdfastError, StorageTimeoutError
from ddfast.loading.on_error import is_of_storage
from ddfast.loading.rescue import PlacedOrigin
from ddfast.reader.batches import ReaderOrigin
from ddfast.reader.form import Form

if TYPE_CHECKING:
    from ddfast.reader.abc import Reader

__all__ = ["RUN_BYTES", "Failure", "Packed", "runs_at", "samples_at"]

Indices = NDArray[np.int64]

# Samples that are decoded at once: few, so that their memory stays in the processor's cache.
RUN_BYTES = 64 << 10

# Samples that are read as one batch.
BATCH_BYTES = 256 << 10
BATCH_SAMPLES = 512

# From this mean size on, samples in the page cache are read one by one, straight to where they stay: copying costs
# more than calling. Every few of them are looked for there; where one is missing, AHEAD_BYTES are read ahead.
LARGE_BYTES = 32 << 10
LOOK_EVERY = 16
AHEAD_BYTES = 256 << 20


class Failure(NamedTuple):
    """What a run has in the place of a sample that could not be given; no error: it is listed as bad."""

    error: Exception | None


class Packed(NamedTuple):
    """What a reader says of its packed samples if `Reader.batches` reads them ahead.

    Parameters:
        origin: where they come from.
        mean_bytes: size of a sample.
        columns: names of the columns that batches have by default.
        is_ready: whether a sample can be read without waiting for storage.
        batches: packed batches of so many samples at these indices, which raise for each that cannot be read.
    """

    origin: PlacedOrigin
    mean_bytes: float
    columns: Sequence[str] | None
    is_ready: Callable[[int], bool]
    batches: Callable[[int, Indices], Iterator[Batch]]

    @property
    def is_large(self) -> bool:
        """Whether samples are so large that copying them is most of the work."""
        return self.mean_bytes >= LARGE_BYTES


def samples_at(reader: Reader, indices: Indices, form: Form) -> Iterator[Any]:
    """Samples in the order of `indices`.

    One that is damaged or cannot be read raises its error when its turn comes.
    """
    get = reader.get
    for packed, piece in _pieces(reader._packed, indices):
        if packed is None:
            for index in piece.tolist():
                yield get(index, *form)
        else:
            for run in _ahead(reader, packed, piece, form):
                if type(run[0]) is Failure and run[0].error is not None:
                    raise run[0].error
                yield from run


def runs_at(reader: Reader, indices: Indices, form: Form) -> Iterator[list[Any]]:
    """Samples in the order of `indices`, in short runs.

    One that is damaged, cannot be read or is listed as bad is a run of its own, a `Failure`.
    """
    listed = reader._policy.listed(ReaderOrigin(reader), len(reader))
    first = 0
    for at in np.flatnonzero(np.isin(indices, listed)).tolist() if listed else ():
        yield from _read_runs(reader, indices[first:at], form)
        yield [Failure(None)]
        first = at + 1
    yield from _read_runs(reader, indices[first:], form)


def _read_runs(reader: Reader, indices: Indices, form: Form) -> Iterator[list[Any]]:
    for packed, piece in _pieces(reader._packed, indices):
        yield from _one_by_one(reader, piece, form) if packed is None else _ahead(reader, packed, piece, form)


def _one_by_one(reader: Reader, indices: Indices, form: Form) -> Iterator[list[Any]]:
    for index in indices.tolist():
        try:
            yield [reader.get(index, *form)]
        except (StorageTimeoutError, ClosedError):
            raise
        except Exception as error:
            yield [Failure(error)]


def _pieces(packed: Packed | None, indices: Indices) -> Iterator[tuple[Packed | None, Indices]]:
    """Pieces of `indices`, each with what reads it ahead, or None where one sample after the other is better."""
    if packed is None or not packed.is_large:
        yield packed, indices
        return
    at, count = 0, max(1, int(AHEAD_BYTES / packed.mean_bytes))
    while at < len(indices):
        if _is_ready(packed, int(indices[at])):
            yield None, indices[at : at + LOOK_EVERY]
            at += LOOK_EVERY
        else:
            yield packed, indices[at : at + count]
            at, count = at + count, 2 * count


def _is_ready(packed: Packed, index: int) -> bool:
    try:
        return packed.is_ready(index)
    except (DdfastError, OSError):
        return True  # reading it will tell what is wrong


def _ahead(reader: Reader, packed: Packed, indices: Indices, form: Form) -> Iterator[list[Any]]:
    size = max(1, min(BATCH_SAMPLES, int(BATCH_BYTES / max(1.0, packed.mean_bytes))))
    batches = packed.batches(size, indices)
    for first in range(0, len(indices), size):
        try:
            batch = next(batches)
        except (StorageTimeoutError, ClosedError):
            raise
        except (DdfastError, OSError) as error:  # of one sample; the others may be well
            if is_of_storage(error):
                raise
            yield from _one_by_one(reader, indices[first : first + size], form)
        else:
            yield from _runs(batch, form)


def _runs(batch: Batch, form: Form) -> Iterator[list[Any]]:
    at = 0
    while at < len(batch):
        run = _run(batch, at, form)
        if form.yield_key and type(run[0]) is not Failure:
            run = list(zip(batch[at : at + len(run)].keys, run, strict=True))
        at += len(run)
        yield run


def _run(batch: Batch, at: int, form: Form) -> list[Any]:
    """Some samples of a batch from `at` on, at least one."""
    if form.raw and not form.copy:
        return list(batch)
    try:
        return batch.run(at, RUN_BYTES, raw=form.raw)
    except DdfastError as error:
        return [Failure(error)]
