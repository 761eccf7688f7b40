"""Samples of a reader that may leave damaged ones out; `ddfast.policy` says which and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ddfast.batch import Batch
from ddfast.errors import DdfastError
from ddfast.loading.on_error import is_of_a_sample
from ddfast.loading.rescue import batch_of_unchecked
from ddfast.reader.ahead import Failure, runs_at
from ddfast.reader.batches import ReaderOrigin
from ddfast.reader.form import Form

if TYPE_CHECKING:
    from ddfast.reader.abc import Reader

__all__ = ["LEFT_OUT", "at_indices", "batch_at", "given", "in_range", "passing"]

# What iterators of this module give in the place of a sample that is left out: positions count it.
LEFT_OUT: Final = object()


def given(samples: Iterator[Any]) -> Iterator[Any]:
    """The samples that are not left out."""
    return (sample for sample in samples if sample is not LEFT_OUT)


class Positioned(Protocol):
    """What has a position."""

    _i: int


def passing(owner: Positioned, samples: Iterator[Any]) -> Iterator[Any]:
    """The samples that are not left out; past others, the owner's position moves on."""
    for sample in samples:
        if sample is LEFT_OUT:
            owner._i += 1
        else:
            yield sample


def in_range(reader: Reader, start: int, stop: int, form: Form, chunk_size: int) -> Iterator[Any]:
    """Samples ``[start, stop)``, with `LEFT_OUT` in the place of some."""
    origin = ReaderOrigin(reader)
    for index in reader._policy.listed(origin, len(reader)):
        if start <= index < stop:
            yield from _until_damage(reader, origin, start, index, form, chunk_size)
            reader._policy.pass_over(None, origin, index)
            yield LEFT_OUT
            start = index + 1
    yield from _until_damage(reader, origin, start, stop, form, chunk_size)


def _until_damage(
    reader: Reader, origin: ReaderOrigin, start: int, stop: int, form: Form, chunk_size: int
) -> Iterator[Any]:
    """Samples as the reader itself iterates over them, and where that fails one by itself, time and again."""
    while start < stop:
        try:
            for sample in reader._iter_impl(start, stop, *form, chunk_size):
                yield sample
                start += 1
            return
        except (DdfastError, OSError) as error:
            if not reader._policy.can_skip(error):
                raise
        yield _sample(reader, origin, start, form)  # a reader of chunks may have failed for one behind it
        start += 1


def _sample(reader: Reader, origin: ReaderOrigin, index: int, form: Form) -> Any:
    try:
        return reader.get(index, *form)
    except (DdfastError, OSError) as error:
        reader._policy.pass_over(error, origin, index)
        return LEFT_OUT


def at_indices(reader: Reader, indices: NDArray[np.int64], form: Form) -> Iterator[Any]:
    """Samples in the order of `indices`, with `LEFT_OUT` in the place of some."""
    origin = ReaderOrigin(reader)
    position = 0
    for run in runs_at(reader, indices, form):
        for sample in run:
            if type(sample) is Failure:
                reader._policy.pass_over(sample.error, origin, int(indices[position]))
                yield LEFT_OUT
            else:
                yield sample
            position += 1


def batch_at(
    reader: Reader, indices: NDArray[np.int64], *, columns: Sequence[str] | None, raw: bool
) -> Batch:
    """The batch that a stream delivers of these samples; some may be left out."""
    origin = ReaderOrigin(reader)
    batch = _whole_batch(reader, indices, origin, columns, raw)
    if batch is None:
        listed = set(reader._policy.listed(origin, len(reader)))
        parts = [None if i in listed else _packed_or_error(reader, i) for i in indices.tolist()]
        batch = batch_of_unchecked(parts, indices, origin, reader._policy, columns=columns, raw=raw)
    reader._policy.tally.add_batch(batch)
    return batch


def _whole_batch(
    reader: Reader,
    indices: NDArray[np.int64],
    origin: ReaderOrigin,
    columns: Sequence[str] | None,
    raw: bool,
) -> Batch | None:
    """A batch of all samples; None where some are to be left out."""
    if np.isin(indices, reader._policy.listed(origin, len(reader))).any():
        return None
    try:
        return reader.get_many(indices, columns=columns, raw=raw)
    except (DdfastError, OSError) as error:
        if not reader._policy.can_skip(error):
            raise
        return None


def _packed_or_error(reader: Reader, index: int) -> Any:
    try:
        return reader.get(index, raw=True, copy=False)
    except (DdfastError, OSError) as error:
        if not is_of_a_sample(error):
            raise
        return error
