"""Grain on an ArrayRecord file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grain

from benchmarks.peers.contract import Columns, NotOffered, Peer, Reader, Sample
from benchmarks.peers.formats.array_record import NAME
from benchmarks.peers.records import columns, unpack


class GrainReader(Reader):
    """`MapDataset`, iterated with the threads and the buffer that Grain has by default."""

    def __init__(self, path: Path) -> None:
        self.source = grain.sources.ArrayRecordDataSource(str(path))
        self.records = grain.MapDataset.source(self.source)
        self.decoded = self.records.map(unpack)

    def __len__(self) -> int:
        return len(self.records)

    def samples(self) -> Iterator[Sample]:
        return iter(self.decoded.to_iter_dataset())

    def batches(self, size: int) -> Iterator[Columns]:
        return self.batched(self.records, size)

    def batched(self, records: Any, size: int) -> Iterator[Columns]:
        """Batches of records, which Grain's threads turn into columns."""
        return iter(records.batch(size, batch_fn=columns).to_iter_dataset())

    def get(self, index: int) -> Sample:
        return self.decoded[index]

    def get_batch(self, indices: Sequence[int]) -> Columns:
        return columns(self.source.__getitems__(indices))

    def shuffled(self, size: int, seed: int) -> Iterator[Columns]:
        return self.batched(self.records.shuffle(seed=seed), size)


class Grain(Peer):
    """The files of ArrayRecord with groups of one record."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        raise NotOffered("reads the files of ArrayRecord")

    def open(self, folder: Path) -> Reader:
        return GrainReader(folder / NAME)


PEER = Grain()
