"""Samples at any indices of a reader, one after the other, read ahead where that is the fastest way to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfast.batch import Batch, Origin
from ddfast.errors import ClosedError, DdfastError, StorageTimeoutError

if TYPE_CHECKING:
    from ddfast.reader.abc import Reader

__all__ = ["RUN_BYTES", "Form", "Packed", "packed_runs", "samples_at", "single_runs"]

Indices = NDArray[np.int64]

# Samples that are decoded at once: few, so that their memory stays in the processor's cache.
RUN_BYTES = 64 << 10

# Samples that are read as one batch.
BATCH_BYTES = 256 << 10
BATCH_SAMPLES = 512


class Form(NamedTuple):
    """How samples are given; the parameters of `Reader.get`."""

    yield_key: bool = False
    raw: bool = False
    copy: bool = True


class Packed(NamedTuple):
    """What a reader says of its packed samples if `Reader.batches` reads them ahead.

    Parameters:
        origin: where they come from.
        mean_bytes: size of a sample.
        columns: names of the columns that batches have by default.
    """

    origin: Origin
    mean_bytes: float
    columns: Sequence[str] | None

    @property
    def batch_size(self) -> int:
        """Samples to be read as one batch."""
        return max(1, min(BATCH_SAMPLES, int(BATCH_BYTES / max(1.0, self.mean_bytes))))


def samples_at(reader: Reader, indices: Indices, form: Form) -> Iterator[Any]:
    """Samples in the order of `indices`.

    A sample that is damaged or cannot be read raises its error when its turn comes.
    """
    packed = reader._packed
    if packed is None:
        return (reader.get(index, *form) for index in indices.tolist())
    return _samples_ahead(reader, packed, indices, form)


def _samples_ahead(reader: Reader, packed: Packed, indices: Indices, form: Form) -> Iterator[Any]:
    for batch, asked_for in _batches_ahead(reader, packed, indices):
        if batch is None:
            yield from (reader.get(index, *form) for index in asked_for.tolist())
        else:
            for at, run in _runs(batch, form):
                yield from zip(batch[at : at + len(run)].keys, run, strict=True) if form.yield_key else run


def _runs(batch: Batch, form: Form) -> Iterator[tuple[int, list[Any]]]:
    """A batch's samples in short runs, each with its position."""
    at = 0
    while at < len(batch):
        views = form.raw and not form.copy
        run = list(batch) if views else batch.run(at, RUN_BYTES, raw=form.raw)
        yield at, run
        at += len(run)


def packed_runs(reader: Reader, packed: Packed, indices: Indices) -> Iterator[list[bytes | Exception]]:
    """Packed samples in the order of `indices`, in short runs; for one that cannot be read, its error."""
    form = Form(raw=True)
    for batch, asked_for in _batches_ahead(reader, packed, indices):
        if batch is None:
            yield from single_runs(reader, asked_for, form)
        else:
            for _, run in _runs(batch, form):
                yield run


def single_runs(reader: Reader, indices: Indices, form: Form) -> Iterator[list[Any]]:
    """Samples in the order of `indices`, each in a run of its own; for one that cannot be read, its error."""
    for index in indices.tolist():
        try:
            yield [reader.get(index, *form)]
        except (StorageTimeoutError, ClosedError):
            raise
        except Exception as error:
            yield [error]


def _batches_ahead(
    reader: Reader, packed: Packed, indices: Indices
) -> Iterator[tuple[Batch | None, Indices]]:
    """Raw batches and the indices of their samples; None for one of which some sample cannot be read."""
    size = packed.batch_size
    batches = reader.batches(size, indices=indices, raw=True)
    for first in range(0, len(indices), size):
        batch: Batch | None
        try:
            batch = next(batches)
        except (StorageTimeoutError, ClosedError):
            raise
        except (DdfastError, OSError):
            batch = None
        yield batch, indices[first : first + size]
