"""ArrayRecord with groups of one record, which its data source requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from benchmarks.peers.contract import Columns, Peer, Reader, Sample
from benchmarks.peers.records import columns, pack, unpack

NAME = "data.array_record"
FOR_RANDOM = "readahead_buffer_size:0,max_parallelism:0"
RUN = 256  # records of one call, where all are read in order


class Records(Reader):
    """`ArrayRecordReader` twice: with its defaults for reading in order, and with options for random access."""

    def __init__(self, path: Path) -> None:
        self.in_order = ArrayRecordReader(str(path))
        self.at_random = ArrayRecordReader(str(path), FOR_RANDOM)
        self.n = self.in_order.num_records()

    def __len__(self) -> int:
        return self.n

    def blocks(self, size: int) -> Iterator[list[bytes]]:
        """All records in order."""
        for start in range(0, self.n, size):
            yield self.in_order.read(start, min(start + size, self.n))

    def samples(self) -> Iterator[Sample]:
        return map(unpack, chain.from_iterable(self.blocks(RUN)))

    def batches(self, size: int) -> Iterator[Columns]:
        return map(columns, self.blocks(size))

    def get(self, index: int) -> Sample:
        return unpack(self.at_random.read([index])[0])

    def get_batch(self, indices: Sequence[int]) -> Columns:
        return columns(self.at_random.read(indices))

    def close(self) -> None:
        self.in_order.close()
        self.at_random.close()


class ArrayRecord(Peer):
    """One file, uncompressed.

    Parameters:
        group_size: number of records that are stored and read together.
    """

    def __init__(self, group_size: int) -> None:
        self.group_size = group_size

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        writer = ArrayRecordWriter(str(folder / NAME), f"group_size:{self.group_size},uncompressed")
        for sample in samples:
            writer.write(pack(sample))
        writer.close()

    def open(self, folder: Path) -> Reader:
        return Records(folder / NAME)


PEER = ArrayRecord(group_size=1)
