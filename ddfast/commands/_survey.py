"""The survey of ``ddfast-info``: sizes from the index, fields from some samples."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast.commands._files import SUFFIX_MD5, index_files
from ddfast.commands._places import Place
from ddfast.errors import CorruptSampleError, DatasetNotFoundError, PickleRefusedError, TooManyFieldsError
from ddfast.index import legacy_load_index, load_offsets
from ddfast.reader import MsgpackReader
from ddfast.tools import ProgressPrinter, make_printer, path_append
from ddfast.tools.messages import brief, shortened

BINS = 10
KEYS_SHOWN = 3
LONGEST_NAME = 100  # characters of a key or the name of a field

# Sizes that differ by more than this factor are shown in bins of growing width.
WIDE = 100

# Approximate number of bytes of samples that are read together.
TOGETHER = 16 << 20

Shape = tuple[int, ...]
Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@dataclasses.dataclass(slots=True)
class Kind:
    """Values of one type in a field.

    Parameters:
        type: name of the type; for arrays, with the dtype.
        count: number of samples with such a value.
        low, high: smallest and largest shape of arrays; smallest and largest length of strings, bytes, lists and maps.
    """

    type: str
    count: int
    low: Shape | None
    high: Shape | None

    def admits(self, type_name: str, shape: Shape | None) -> bool:
        """Whether a value is of this kind: the same type and the same number of dimensions."""
        return self.type == type_name and _ndim(self.low) == _ndim(shape)

    def add(self, shape: Shape | None, count: int = 1) -> None:
        """Count more values of this kind."""
        self.count += count
        if shape is not None and self.low is not None and self.high is not None:
            self.low, self.high = tuple(map(min, shape, self.low)), tuple(map(max, shape, self.high))


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """One data file.

    Parameters:
        path: the file.
        samples: number of samples.
        bytes: size of the file.
        index: sizes of its index files, by name.
        md5: whether it has an MD5 file.
        keys: keys of the first samples and of the last one, shortened.
    """

    path: Path | str
    samples: int
    bytes: int
    index: dict[str, int]
    md5: bool
    keys: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    """One or several data files.

    Parameters:
        shards: the files.
        sizes: smallest, mean, median and largest size of a sample, in bytes; empty without samples.
        histogram: lower limit, upper limit (exclusive) and number of samples of each bin.
        sampled: number of decoded samples.
        fields: kinds of values by field name; long names are shortened.
        unreadable: why samples could not be decoded, one line each.
    """

    shards: list[Shard]
    sizes: dict[str, float]
    histogram: list[tuple[int, int, int]]
    sampled: int
    fields: dict[str, list[Kind]]
    unreadable: list[str]

    @property
    def samples(self) -> int:
        """Samples of all files."""
        return sum(shard.samples for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Bytes of all data files."""
        return sum(shard.bytes for shard in self.shards)

    def to_dict(self) -> dict[str, Any]:
        """The result in a form for JSON."""
        shards = [{**dataclasses.asdict(shard), "path": str(shard.path)} for shard in self.shards]
        result = {"samples": self.samples, "bytes": self.bytes, **dataclasses.asdict(self), "shards": shards}
        result["histogram"] = [{"from": low, "to": high, "samples": n} for low, high, n in self.histogram]
        return result


@dataclasses.dataclass(frozen=True, slots=True)
class Examined:
    """What a survey finds in one data file; the attributes are those of `Survey`, and the sizes of all samples."""

    shard: Shard
    sizes: NDArray[np.int64]
    sampled: int
    fields: dict[str, list[Kind]]
    unreadable: list[str]


def survey(places: Sequence[Place], samples: int = 1000, each: Each = map) -> Survey:
    """Examine datasets.

    Parameters:
        places: locations of the datasets.
        samples: number of samples to decode, evenly distributed over all files.
        each: applies a function to each dataset as `map` does; it may leave out those for which the function fails.

    Raises:
        DatasetNotFoundError: a file has no index.
        IndexFileError: an index is damaged.
    """
    tables = list(each(lambda place: (place, _offsets(place)), places))
    firsts = np.cumsum([0, *(len(table) - 1 for _, table in tables)])
    count = int(firsts[-1])
    chosen = np.unique(np.linspace(0, max(0, count - 1), min(samples, count)).astype(np.int64))
    bar = make_printer(desc="read samples", total=len(chosen), leave=False, disable=None)

    def examine(number: int) -> Examined:
        (place, table), first = tables[number], firsts[number]
        own = chosen[(chosen >= first) & (chosen < first + len(table) - 1)] - first
        return _examine(place, table, own, bar)

    with bar:
        found = list(each(examine, range(len(tables))))
    sizes = np.concatenate([np.zeros(0, np.int64), *(part.sizes for part in found)])
    fields: dict[str, list[Kind]] = {}
    for part in found:
        for name, kinds in part.fields.items():
            _merge(fields.setdefault(name, []), kinds)
    return Survey(
        [part.shard for part in found],
        _statistics(sizes),
        _histogram(sizes),
        sum(part.sampled for part in found),
        fields,
        [reason for part in found for reason in part.unreadable],
    )


def _examine(
    place: Place, table: NDArray[np.uint64], indices: NDArray[np.int64], bar: ProgressPrinter
) -> Examined:
    """Examine one dataset; `indices` are those of the samples to decode."""
    fields: dict[str, list[Kind]] = {}
    unreadable: list[str] = []
    sizes = np.asarray(np.diff(table.astype(np.int64)), np.int64)
    with _opened(place) as reader:
        for sample in _samples(reader, indices, sizes[indices]):
            if isinstance(sample, Exception):
                unreadable.append(str(sample))
            else:
                _describe(sample, fields)
            bar()
        return Examined(_shard(place, len(sizes), reader), sizes, len(indices), fields, unreadable)


def _offsets(place: Place) -> NDArray[np.uint64]:
    with suppress(FileNotFoundError):
        return load_offsets(place.base)
    try:
        return np.array(legacy_load_index(place.base, place.size)[1], np.uint64)
    except FileNotFoundError:
        raise DatasetNotFoundError(
            f"{place.name} has no index. Make one with `ddfast index {place.name}`"
        ) from None


def _opened(place: Place) -> MsgpackReader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the survey lists the index files anyway
        return MsgpackReader(place.source, storage_options=place.options)


def _samples(reader: MsgpackReader, indices: NDArray[np.int64], sizes: NDArray[np.int64]) -> Iterator[Any]:
    """Samples; errors in place of samples that cannot be decoded."""
    groups = np.cumsum(sizes) // TOGETHER
    for together in np.split(indices, np.flatnonzero(np.diff(groups)) + 1):
        try:
            yield from list(reader.get_many(together))
        except (CorruptSampleError, PickleRefusedError, TooManyFieldsError):
            for index in together.tolist():
                yield _sample(reader, index)


def _sample(reader: MsgpackReader, index: int) -> Any:
    try:
        return reader.get(index)
    except (CorruptSampleError, PickleRefusedError) as error:
        return error


def _shard(place: Place, count: int, reader: MsgpackReader) -> Shard:
    keys: list[str] = []
    with suppress(FileNotFoundError):
        names = reader.keys()
        keys = [
            shortened(names[i], LONGEST_NAME)
            for i in [*range(min(KEYS_SHOWN - 1, count)), *([count - 1] * (count >= KEYS_SHOWN))]
        ]
    return Shard(
        place.name,
        count,
        place.size,
        {file.name: file.stat().st_size for file in index_files(place.base)},
        path_append(place.base, SUFFIX_MD5).exists(),
        keys,
    )


def _statistics(sizes: NDArray[np.int64]) -> dict[str, float]:
    if not len(sizes):
        return {}
    return {
        "min": int(sizes.min()),
        "mean": float(sizes.mean()),
        "median": float(np.median(sizes)),
        "max": int(sizes.max()),
    }


def _histogram(sizes: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    if not len(sizes):
        return []
    low, high = int(sizes.min()), int(sizes.max()) + 1
    edges = (
        np.geomspace(max(1, low), high, BINS + 1) if high > WIDE * low else np.linspace(low, high, BINS + 1)
    )
    edges = np.unique([low, *np.rint(edges[1:-1]).astype(np.int64).tolist(), high])
    counts, _ = np.histogram(sizes, edges)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True))


def _describe(sample: Any, fields: dict[str, list[Kind]]) -> None:
    """Add the values of a sample."""
    for name, value in sample.items() if isinstance(sample, dict) else [("(not a map)", sample)]:
        field = name if isinstance(name, str) else brief(name)
        kinds = fields.setdefault(shortened(field, LONGEST_NAME), [])
        kind, shape = _kind(value)
        for known in kinds:
            if known.admits(kind, shape):
                known.add(shape)
                break
        else:
            kinds.append(Kind(kind, 1, shape, shape))


def _merge(kinds: list[Kind], others: list[Kind]) -> None:
    """Add the kinds of values of a field in another dataset."""
    for other in others:
        known = next((kind for kind in kinds if kind.admits(other.type, other.low)), None)
        if known is None:
            kinds.append(other)
        else:
            known.add(other.low, other.count)
            known.add(other.high, 0)


def _ndim(shape: Shape | None) -> int:
    return -1 if shape is None else len(shape)


def _kind(value: Any) -> tuple[str, Shape | None]:
    """The type of a value, and its shape or length if it has one."""
    if isinstance(value, np.ndarray):
        return f"ndarray {shortened(str(value.dtype), LONGEST_NAME)}", value.shape
    if isinstance(value, np.generic):
        return shortened(str(value.dtype), LONGEST_NAME), None
    if isinstance(value, bytes | str | list | dict):
        return type(value).__name__, (len(value),)
    return "None" if value is None else type(value).__name__, None
