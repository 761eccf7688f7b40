"""The synthetic datasets that the benchmarks read: equal on every machine, written once and kept.

Example:
  python benchmarks/datasets.py --data /tmp/ddfast-data
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Sample = dict[str, Any]
NOISE_BYTES = 8 << 20
BLOCK = 10_000


@dataclass(frozen=True, slots=True)
class Dataset:
    """A synthetic dataset.

    Parameters:
        name: stem of its data file.
        title: name in tables and plots.
        n: number of samples.
        samples: function that makes them; the same n gives the same samples.
    """

    name: str
    title: str
    n: int
    samples: Callable[[int], Iterator[Sample]]


def image_samples(smallest: int, largest: int) -> Callable[[int], Iterator[Sample]]:
    """Samples of a key, incompressible bytes of ``smallest`` to ``largest`` and an integer label."""

    def samples(n: int) -> Iterator[Sample]:
        rng = np.random.default_rng(smallest)
        noise = rng.bytes(max(NOISE_BYTES, 2 * largest))
        sizes = rng.integers(smallest, largest, n).tolist()
        starts = rng.integers(0, len(noise) - largest, n).tolist()
        labels = rng.integers(0, 1000, n).tolist()
        for i, (size, start, label) in enumerate(zip(sizes, starts, labels, strict=True)):
            yield {"key": f"{i:08d}.jpg", "image": noise[start : start + size], "label": label}

    return samples


def vector_samples(n: int) -> Iterator[Sample]:
    """Samples of a key, a float32 array of 16 and an integer label."""
    rng = np.random.default_rng(16)
    for start in range(0, n, BLOCK):
        block = min(BLOCK, n - start)
        vectors = rng.standard_normal((block, 16), dtype=np.float32)
        labels = rng.integers(0, 1000, block).tolist()
        for i in range(block):
            yield {"key": f"{start + i:08d}", "vec": vectors[i], "label": labels[i]}


def label_samples(n: int, first: int = 0) -> Iterator[Sample]:
    """Samples of a key and an integer only, for measurements of the index, without the first ones."""
    for i in range(first, first + n):
        yield {"key": f"n{i % 1000:08d}/{i:09d}.jpg", "label": i}


DATASETS = (
    Dataset("image105k", "105 kB", 20_000, image_samples(60_000, 150_000)),
    Dataset("image2800", "2.8 kB", 200_000, image_samples(1_600, 4_000)),
    Dataset("vector16", "float32[16]", 500_000, vector_samples),
)
MILLION = Dataset("million", "1,000,000 keys", 1_000_000, label_samples)


def ensure(dataset: Dataset, folder: Path, quiet: bool = False) -> Path:
    """Path of the dataset in ``folder``; written first if it does not exist."""
    from ddfast import FileWriter

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{dataset.name}-{dataset.n}.msgpack"
    if not path.exists():
        with (
            redirect_stdout(sys.stderr),
            FileWriter(path, total=dataset.n, desc=f"write {path.name}", disable=quiet or None) as writer,
        ):
            for sample in dataset.samples(dataset.n):
                writer.write(sample)
    return path


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, the folder of the datasets."""
    default = Path("/tmp/ddfast-data")
    parser.add_argument(
        "--data", type=Path, default=default, help=f"folder of the datasets (default: {default})"
    )


def main() -> None:
    """Write all datasets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    args = parser.parse_args()
    for dataset in (*DATASETS, MILLION):
        print(ensure(dataset, args.data))


if __name__ == "__main__":
    main()
