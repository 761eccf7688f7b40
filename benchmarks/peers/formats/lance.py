"""Lance: columns with random access."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import lance
import pyarrow as pa

from benchmarks.peers.arrow import as_columns, record_batches, rows, run_of, schema_of
from benchmarks.peers.contract import Columns, Peer, Reader, Sample, peek

NAME = "data.lance"


class LanceReader(Reader):
    """`LanceDataset.to_batches` and `LanceDataset.take`, with default options."""

    def __init__(self, path: Path) -> None:
        self.dataset = lance.dataset(str(path))
        self.n = self.dataset.count_rows()
        self.run_rows = run_of(sum(file.stat().st_size for file in path.rglob("*.lance")), self.n)

    def __len__(self) -> int:
        return self.n

    def samples(self) -> Iterator[Sample]:
        return chain.from_iterable(rows(columns) for columns in self.batches(self.run_rows))

    def batches(self, size: int) -> Iterator[Columns]:
        return map(as_columns, self.dataset.to_batches(batch_size=size))

    def get(self, index: int) -> Sample:
        return next(rows(self.get_batch([index])))

    def get_batch(self, indices: Sequence[int]) -> Columns:
        return as_columns(self.dataset.take(indices))


class Lance(Peer):
    """`write_dataset`, with default options."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        first, samples = peek(samples)
        schema = schema_of(first)
        reader = pa.RecordBatchReader.from_batches(schema, record_batches(samples, schema))
        lance.write_dataset(reader, str(folder / NAME), schema)

    def open(self, folder: Path) -> Reader:
        return LanceReader(folder / NAME)


PEER = Lance()
