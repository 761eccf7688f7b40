"""Hugging Face datasets: Arrow files, mapped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from benchmarks.peers.arrow import as_columns
from benchmarks.peers.contract import Columns, Peer, Reader, Sample, peek

NAME, CACHE = "data", "cache"


class HfReader(Reader):
    """`load_from_disk`. Samples as numpy arrays or Python objects; batches as Arrow tables, copied out of the map."""

    def __init__(self, folder: Path) -> None:
        self.table = datasets.load_from_disk(str(folder / NAME)).with_format("arrow")
        self.dataset = self.table.with_format("numpy" if "vec" in self.table.column_names else None)

    def __len__(self) -> int:
        return len(self.dataset)

    def samples(self) -> Iterator[Sample]:
        return iter(self.dataset)

    def batches(self, size: int) -> Iterator[Columns]:
        return map(copied, self.table.iter(size))

    def get(self, index: int) -> Sample:
        return self.dataset[index]

    def get_batch(self, indices: Sequence[int]) -> Columns:
        return copied(self.table[indices])


def copied(table: Any) -> Columns:
    """Columns of a table, copied."""
    return as_columns(table.take(pa.array(range(len(table)))))


class HfDatasets(Peer):
    """`Dataset.from_generator` and `save_to_disk`."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        first, samples = peek(samples)
        vec = {"vec": datasets.List(datasets.Value("float32"), length=16)}
        payload = vec if "vec" in first else {"image": datasets.Value("binary")}
        features = {"key": datasets.Value("string"), **payload, "label": datasets.Value("int64")}
        datasets.disable_progress_bars()
        dataset = datasets.Dataset.from_generator(
            Once(samples), datasets.Features(features), cache_dir=str(folder / CACHE), fingerprint="samples"
        )
        dataset.save_to_disk(str(folder / NAME))
        del dataset
        shutil.rmtree(folder / CACHE)

    def open(self, folder: Path) -> Reader:
        return HfReader(folder)


class Once:
    """A generator function over existing samples. Its fingerprint is constant, because no cache is kept."""

    def __init__(self, samples: Iterator[Sample]) -> None:
        self.samples = samples

    def __call__(self) -> Iterator[Sample]:
        yield from self.samples

    def __reduce__(self) -> tuple[Any, ...]:
        return Once, (iter(()),)


PEER = HfDatasets()
