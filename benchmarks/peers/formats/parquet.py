"""Parquet through pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from benchmarks.peers.arrow import as_columns, record_batches, rows, run_of, schema_of
from benchmarks.peers.contract import Columns, NotOffered, Peer, Reader, Sample, peek

NAME = "data.parquet"
GROUP_BYTES = 64 << 20


class ParquetReader(Reader):
    """`ParquetFile.iter_batches`, and `Dataset.take` at random."""

    def __init__(self, path: Path) -> None:
        self.file = pq.ParquetFile(path)
        self.dataset = pads.dataset(path)
        self.run_rows = run_of(path.stat().st_size, len(self))

    def __len__(self) -> int:
        return self.file.metadata.num_rows

    def samples(self) -> Iterator[Sample]:
        return chain.from_iterable(rows(columns) for columns in self.batches(self.run_rows))

    def batches(self, size: int) -> Iterator[Columns]:
        return map(as_columns, self.file.iter_batches(size))

    def get(self, index: int) -> Sample:
        return next(rows(self.get_batch([index])))

    def get_batch(self, indices: Sequence[int]) -> Columns:
        return as_columns(self.dataset.take(pa.array(indices)))

    def shuffled(self, size: int, seed: int) -> Iterator[Columns]:
        raise NotOffered("every random batch decodes whole row groups")

    def close(self) -> None:
        self.file.close()


class Parquet(Peer):
    """Uncompressed, dictionaries for the label only, row groups of 64 MiB.

    Parameters:
        binary: store arrays as bytes of fixed length instead of lists of floats.
    """

    def __init__(self, binary: bool) -> None:
        self.binary = binary

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        first, samples = peek(samples)
        if self.binary and "vec" not in first:
            raise NotOffered("for arrays of one shape")
        schema = schema_of(first, pa.binary(first["vec"].nbytes) if self.binary else None)
        with pq.ParquetWriter(folder / NAME, schema, compression="none", use_dictionary=["label"]) as writer:
            group: list[Any] = []
            for batch in record_batches(samples, schema):
                group.append(batch)
                if sum(part.nbytes for part in group) >= GROUP_BYTES:
                    writer.write_table(pa.Table.from_batches(group))
                    group = []
            if group:
                writer.write_table(pa.Table.from_batches(group))

    def open(self, folder: Path) -> Reader:
        return ParquetReader(folder / NAME)


PEER = Parquet(binary=False)
