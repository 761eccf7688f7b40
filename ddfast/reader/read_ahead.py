"""Samples of a reader at any indices, one after the other, read ahead if that is faster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfast.batch import Batch
from ddfast.errors import ClosedError, DdfastError, StorageTimeoutError
from ddfast.loading.on_error import is_of_storage
from ddfast.reader.contract import PackedSource, SampleForm, SampleReader
from ddfast.reader.origin import ReaderOrigin

__all__ = ["RUN_BYTES", "FailedSample", "runs_at", "samples_at"]

# Samples that are decoded together: few, so that their memory stays in the processor's cache.
RUN_BYTES = 64 << 10

# Samples that are read as one batch.
BATCH_BYTES = 256 << 10
BATCH_SAMPLES = 512

# Of large samples, one in this many is looked up in the page cache; if it is missing, AHEAD_BYTES are read ahead.
LOOK_EVERY = 16
AHEAD_BYTES = 256 << 20


class FailedSample(NamedTuple):
    """Takes the place of a sample that cannot be delivered; without an error, the sample is listed as damaged."""

    error: Exception | None


def samples_at(reader: SampleReader, indices: NDArray[np.int64], form: SampleForm) -> Iterator[Any]:
    """Samples in the order of `indices`.

    A sample that is damaged or cannot be read raises its error when it is due.
    """
    get = reader.get
    for packed, section in _sections(reader._packed, indices):
        if packed is None:
            for index in section.tolist():
                yield get(index, *form)
        else:
            for run in _prefetched(reader, packed, section, form):
                if type(run[0]) is FailedSample and run[0].error is not None:
                    raise run[0].error
                yield from run


def runs_at(reader: SampleReader, indices: NDArray[np.int64], form: SampleForm) -> Iterator[list[Any]]:
    """Samples in the order of `indices`, in short runs.

    A sample that is damaged, cannot be read, or is listed as damaged is a separate run with a `FailedSample`.
    """
    listed = reader._policy.listed(ReaderOrigin(reader), len(reader))
    first = 0
    for at in np.flatnonzero(np.isin(indices, listed)).tolist() if listed else ():
        yield from _read_runs(reader, indices[first:at], form)
        yield [FailedSample(None)]
        first = at + 1
    yield from _read_runs(reader, indices[first:], form)


def _read_runs(reader: SampleReader, indices: NDArray[np.int64], form: SampleForm) -> Iterator[list[Any]]:
    for packed, section in _sections(reader._packed, indices):
        if packed is None:
            yield from _one_by_one(reader, section, form)
        else:
            yield from _prefetched(reader, packed, section, form)


def _one_by_one(reader: SampleReader, indices: NDArray[np.int64], form: SampleForm) -> Iterator[list[Any]]:
    for index in indices.tolist():
        try:
            yield [reader.get(index, *form)]
        except (StorageTimeoutError, ClosedError):
            raise
        except Exception as error:
            yield [FailedSample(error)]


def _sections(
    packed: PackedSource | None, indices: NDArray[np.int64]
) -> Iterator[tuple[PackedSource | None, NDArray[np.int64]]]:
    """Sections of `indices`, each with the source to read ahead from, or None to read its samples one by one."""
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


def _is_ready(packed: PackedSource, index: int) -> bool:
    try:
        return packed.is_ready(index)
    except (DdfastError, OSError):
        return True  # reading the sample raises the error


def _prefetched(
    reader: SampleReader, packed: PackedSource, indices: NDArray[np.int64], form: SampleForm
) -> Iterator[list[Any]]:
    size = max(1, min(BATCH_SAMPLES, int(BATCH_BYTES / max(1.0, packed.mean_bytes))))
    batches = packed.batches(size, indices)
    for first in range(0, len(indices), size):
        try:
            batch = next(batches)
        except (StorageTimeoutError, ClosedError):
            raise
        except (DdfastError, OSError) as error:  # of one sample; the others may be valid
            if is_of_storage(error):
                raise
            yield from _one_by_one(reader, indices[first : first + size], form)
        else:
            yield from _runs(batch, form)


def _runs(batch: Batch, form: SampleForm) -> Iterator[list[Any]]:
    at = 0
    while at < len(batch):
        run = _run(batch, at, form)
        if form.yield_key and type(run[0]) is not FailedSample:
            run = list(zip(batch[at : at + len(run)].keys, run, strict=True))
        at += len(run)
        yield run


def _run(batch: Batch, at: int, form: SampleForm) -> list[Any]:
    """At least one sample of a batch, from position `at` on."""
    if form.raw and not form.copy:
        return list(batch)
    try:
        return batch.run(at, RUN_BYTES, raw=form.raw)
    except DdfastError as error:
        return [FailedSample(error)]
