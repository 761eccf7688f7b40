"""ddfast, with `MsgpackReader`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.contract import Columns, Peer, Reader, Sample

NAME = "data.msgpack"


class DdfastReader(Reader):
    """A reader of ddfast, with default options."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self.get = self.reader.get  # type: ignore[method-assign]

    def __len__(self) -> int:
        return len(self.reader)

    def samples(self) -> Iterator[Sample]:
        return self.reader.iter(0)

    def batches(self, size: int) -> Iterator[Columns]:
        return (batch.to_dict() for batch in self.reader.batches(size))

    def get_batch(self, indices: Sequence[int]) -> Columns:
        return self.reader.get_many(indices).to_dict()

    def shuffled(self, size: int, seed: int) -> Iterator[Columns]:
        return (batch.to_dict() for batch in self.reader.batches(size, shuffle=True, seed=seed))

    def close(self) -> None:
        self.reader.close()


class Ddfast(Peer):
    """The files of `FileWriter`."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        from ddfast import FileWriter

        with FileWriter(folder / NAME, disable=True) as writer:
            for sample in samples:
                writer.write(sample)

    def open(self, folder: Path) -> Reader:
        from ddfast.reader import MsgpackReader

        return DdfastReader(MsgpackReader(folder / NAME))


PEER = Ddfast()
