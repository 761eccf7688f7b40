"""The sweeps: what grows, up to which size, and in which datasets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.datasets import Dataset, ensure, image_samples, label_samples, vector_samples

BATCH = 256
BATCH_BYTES = 64 << 20  # of large samples, fewer are in a batch
SWEEP_BYTES = 500_000_000  # of samples that grow in size; larger ones are fewer
MOST_SAMPLES = 200_000
SHARDED_SAMPLES = 200_000


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a sweep.

    Parameters:
        x: the value that grows.
        files: makes the dataset in a folder and returns the paths of its data files.
        batch: samples of a batch.
        sharded: whether the files are read by `ShardedReader`, even if there is only one.
    """

    x: int
    files: Callable[[Path], list[Path]]
    batch: int = BATCH
    sharded: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """One quantity that grows.

    Parameters:
        name: name in options.
        title: name in tables and the plot.
        points: the points, in order.
        figures: the figures that are shown, see `FIGURES`.
        in_bytes: whether rates count bytes, not samples.
    """

    name: str
    title: str
    points: tuple[Point, ...]
    figures: tuple[str, ...]
    in_bytes: bool = False


def single(dataset: Dataset, folder: Path) -> list[Path]:
    """A dataset in one file."""
    return [ensure(dataset, folder)]


def shards(number: int, folder: Path) -> list[Path]:
    """The same samples in several files, each of which is a dataset."""
    each = SHARDED_SAMPLES // number
    top = folder / f"shards-{number}"
    parts = [Dataset(f"{i:04d}", "", each, partial(label_samples, first=i * each)) for i in range(number)]
    return [ensure(part, top, quiet=True) for part in parts]


def of_size(size: int) -> Point:
    """A reasonable number of samples of a size."""
    n = min(MOST_SAMPLES, SWEEP_BYTES // size)
    # The key and all but the bytes take about 40 bytes.
    dataset = Dataset(f"bytes{size}", f"{size:,} bytes", n, image_samples(size - 40, size - 39))
    return Point(size, partial(single, dataset), max(1, min(BATCH, BATCH_BYTES // size)))


def of_number(n: int) -> Point:
    """A number of samples with only a key and a label."""
    return Point(n, partial(single, Dataset("labels", f"{n:,} keys", n, label_samples)))


def of_shards(number: int) -> Point:
    """The same samples in a number of shards."""
    return Point(number, partial(shards, number), sharded=True)


FIGURES = {
    "in order": "in order, {}/s",
    "at random": "at random, {}/s",
    "memory": "own memory, MB",
    "open": "open, ms",
    "first lookup": "first lookup, ms",
    "lookup": "later lookups, µs",
}
VECTORS = partial(single, Dataset("vector16", "float32[16]", 500_000, vector_samples))
RATES = ("in order", "at random", "memory")
ALL = (*RATES, "open", "first lookup", "lookup")
SWEEPS = (
    Sweep("batch", "samples of a batch", tuple(Point(4**i, VECTORS, 4**i) for i in range(7)), RATES),
    Sweep("size", "bytes of a sample", tuple(of_size(10**i) for i in range(2, 8)), RATES, in_bytes=True),
    Sweep("samples", "samples of the dataset", tuple(of_number(10**i) for i in range(3, 8)), ALL),
    Sweep("shards", "shards", tuple(of_shards(10**i) for i in range(4)), ALL),
)
BY_NAME = {sweep.name: sweep for sweep in SWEEPS}
