"""Checks, before any measurement, that a reader returns the samples that were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.peers import source
from benchmarks.peers.contract import Columns, NotOffered, Reader, Sample
from benchmarks.peers.jobs import BATCH, SEED

FIRST = 600  # samples at the beginning: two batches and some
RANDOM = 40  # samples at random, which slow peers find one by one
EPOCH = 20_000  # samples of a shuffled epoch


class WrongSamples(AssertionError):  # noqa: N818 - reads like a sentence where it is shown
    """A reader returns other samples than those that were written."""


def check(reader: Reader, name: str, n: int) -> None:
    """Compare the samples that each method of a reader returns with the source.

    Raises:
        WrongSamples: they differ; the message describes the difference.
    """
    expect(len(reader) == n, f"it has {len(reader)} samples, not {n}")
    indices = np.random.default_rng(SEED).integers(0, n, RANDOM).tolist()
    wanted = source.some(name, n, [*range(min(FIRST, n)), *indices])
    head = [wanted[index] for index in range(min(FIRST, n))]
    drawn = [wanted[index] for index in indices]
    compare("samples", take(reader, reader.samples, len(head)), head)
    compare("batches", unrolled(take(reader, lambda: reader.batches(BATCH), -(-len(head) // BATCH))), head)
    for question in (
        lambda: compare("get", [reader.get(index) for index in indices[:4]], drawn[:4]),
        lambda: compare("get_batch", unrolled([reader.get_batch(indices)]), drawn),
        lambda: check_shuffled(reader, n),
    ):
        with suppress(NotOffered):
            question()


def check_shuffled(reader: Reader, n: int) -> None:
    """Check that a shuffled epoch has no key twice and not the order of the file; of large datasets, its beginning."""
    most = -(-min(n, EPOCH) // BATCH)
    keys = [key for part in take(reader, lambda: reader.shuffled(BATCH, SEED), most, keys_of) for key in part]
    wanted = min(n, most * BATCH)
    expect(len(keys) == wanted, f"shuffled: {len(keys)} samples, not {wanted}")
    expect(len(set(keys)) == wanted, f"shuffled: {wanted - len(set(keys))} samples are repeated")
    expect(n < 10 or keys != sorted(keys), "shuffled: the samples are in order")


def compare(way: str, found: Iterable[Sample], wanted: list[Sample]) -> None:
    """Compare samples one by one; a reader may return more than the expected ones."""
    found = list(islice(found, len(wanted)))
    expect(len(found) == len(wanted), f"{way}: {len(found)} samples instead of {len(wanted)}")
    for position, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        expect(set(ours) == set(theirs), f"{way}: sample {position} has the fields {sorted(ours)}")
        for field, value in theirs.items():
            expect(same(ours[field], value), f"{way}: {field!r} of sample {position} is different")


def same(value: Any, wanted: Any) -> bool:
    """Whether two values have the same type and are equal; integers of numpy count as integers."""
    if isinstance(wanted, np.ndarray):
        return isinstance(value, np.ndarray) and value.dtype == wanted.dtype and np.array_equal(value, wanted)
    if isinstance(wanted, int):
        return isinstance(value, int | np.integer) and int(value) == wanted
    return isinstance(value, type(wanted)) and value == wanted


def unrolled(batches: Iterable[Columns]) -> Iterator[Sample]:
    """The samples of batches, in which numbers and arrays must be one array."""
    for batch in batches:
        for name in {"label", "vec"} & set(batch):
            expect(is_dense(batch[name]), f"{name!r} is not a dense, aligned array in its own memory")
        for row in zip(*map(plain, batch.values()), strict=True):
            yield dict(zip(batch, row, strict=True))


def is_dense(values: Any) -> bool:
    """Whether a column of numbers or arrays is a dense, aligned array in its own memory."""
    return isinstance(values, np.ndarray) and values.flags.c_contiguous and values.flags.aligned


def plain(values: Any) -> list[Any]:
    """The values of a column as Python objects."""
    if hasattr(values, "to_pylist"):
        return values.to_pylist()
    return [decoded(value) for value in values]


def decoded(value: Any) -> Any:
    if isinstance(value, np.bytes_):  # keys of equal length
        return value.decode()
    return bytes(value) if isinstance(value, memoryview) else value


def keys_of(batch: Columns) -> list[str]:
    """The keys of a batch."""
    return plain(batch["key"])


def itself(item: Any) -> Any:
    """The argument."""
    return item


def take(
    reader: Reader, start: Callable[[], Any], most: int, part: Callable[[Any], Any] = itself
) -> list[Any]:
    """The first items of an iterator, asynchronous or not, or the results of a function of each."""
    stream = start()
    if hasattr(stream, "__aiter__"):
        return reader.run(_awaited(stream, most, part))
    return [part(item) for item in islice(stream, most)]


async def _awaited(stream: Any, most: int, part: Callable[[Any], Any]) -> list[Any]:
    items: list[Any] = []
    try:
        async for item in stream:
            items.append(part(item))
            if len(items) == most:
                break
    finally:
        await stream.aclose()
    return items


def expect(condition: bool, otherwise: str) -> None:
    """Raise `WrongSamples` unless a condition holds."""
    if not condition:
        raise WrongSamples(otherwise)
