"""Samples and batches of a reader that may leave damaged samples out; `ddfast.policy` describes the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ddfast.batch import Batch
from ddfast.errors import DdfastError
from ddfast.loading.known import KnownColumns
from ddfast.loading.on_error import is_of_a_sample
from ddfast.loading.partial import batch_of_unchecked
from ddfast.reader.contract import SampleForm, SampleReader
from ddfast.reader.origin import ReaderOrigin
from ddfast.reader.read_ahead import FailedSample, runs_at

__all__ = ["OMITTED", "advancing", "batch_at", "samples_at_indices", "samples_in_range", "without_omitted"]

# Takes the place of a sample that is left out, because positions count it.
OMITTED: Final = object()


def without_omitted(samples: Iterator[Any]) -> Iterator[Any]:
    """The samples that are not left out."""
    return (sample for sample in samples if sample is not OMITTED)


class Positioned(Protocol):
    """An object with a position."""

    _i: int


def advancing(owner: Positioned, samples: Iterator[Any]) -> Iterator[Any]:
    """The samples that are not left out; the owner's position advances past the others."""
    for sample in samples:
        if sample is OMITTED:
            owner._i += 1
        else:
            yield sample


def samples_in_range(
    reader: SampleReader, start: int, stop: int, form: SampleForm, chunk_size: int
) -> Iterator[Any]:
    """Samples ``[start, stop)``, with `OMITTED` in the place of those left out."""
    origin = ReaderOrigin(reader)
    for index in reader._policy.listed(origin, len(reader)):
        if start <= index < stop:
            yield from _unlisted(reader, origin, start, index, form, chunk_size)
            reader._policy.pass_over(None, origin, index)
            yield OMITTED
            start = index + 1
    yield from _unlisted(reader, origin, start, stop, form, chunk_size)


def _unlisted(
    reader: SampleReader, origin: ReaderOrigin, start: int, stop: int, form: SampleForm, chunk_size: int
) -> Iterator[Any]:
    """Samples by the reader's own iteration; where that fails, one sample by itself, then iteration again."""
    while start < stop:
        try:
            for sample in reader._iter_impl(start, stop, *form, chunk_size):
                yield sample
                start += 1
            return
        except (DdfastError, OSError) as error:
            if not reader._policy.can_skip(error):
                raise
        yield _sample(reader, origin, start, form)  # valid if a later sample of the chunk has failed
        start += 1


def _sample(reader: SampleReader, origin: ReaderOrigin, index: int, form: SampleForm) -> Any:
    try:
        return reader.get(index, *form)
    except (DdfastError, OSError) as error:
        reader._policy.pass_over(error, origin, index)
        return OMITTED


def samples_at_indices(reader: SampleReader, indices: NDArray[np.int64], form: SampleForm) -> Iterator[Any]:
    """Samples in the order of `indices`, with `OMITTED` in the place of those left out."""
    origin = ReaderOrigin(reader)
    position = 0
    for run in runs_at(reader, indices, form):
        for sample in run:
            if type(sample) is FailedSample:
                reader._policy.pass_over(sample.error, origin, int(indices[position]))
                yield OMITTED
            else:
                yield sample
            position += 1


def batch_at(
    reader: SampleReader,
    indices: NDArray[np.int64],
    *,
    columns: Sequence[str] | None,
    raw: bool,
    known: KnownColumns,
) -> Batch:
    """The batch of these samples in a stream, which may leave some of them out; `known` are the columns so far."""
    origin = ReaderOrigin(reader)
    batch = _whole_batch(reader, indices, origin, columns, raw)
    if batch is None:
        listed = set(reader._policy.listed(origin, len(reader)))
        outcomes = [None if i in listed else _packed_or_error(reader, i) for i in indices.tolist()]
        batch = batch_of_unchecked(
            outcomes, indices, origin, reader._policy, columns=columns, raw=raw, known=known
        )
    reader._policy.counters.add_batch(batch)
    if not raw:
        known.note(batch, columns)
        known.warn_of_missing(batch, columns)
    return batch


def _whole_batch(
    reader: SampleReader,
    indices: NDArray[np.int64],
    origin: ReaderOrigin,
    columns: Sequence[str] | None,
    raw: bool,
) -> Batch | None:
    """A batch of all samples; None if some have to be left out."""
    if np.isin(indices, reader._policy.listed(origin, len(reader))).any():
        return None
    try:
        return reader.get_many(indices, columns=columns, raw=raw)
    except (DdfastError, OSError) as error:
        if not reader._policy.can_skip(error):
            raise
        return None


def _packed_or_error(reader: SampleReader, index: int) -> Any:
    try:
        return reader.get(index, raw=True, copy=False)
    except (DdfastError, OSError) as error:
        if not is_of_a_sample(error):
            raise
        return error
