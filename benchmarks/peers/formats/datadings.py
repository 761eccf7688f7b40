"""datadings 3, whose format ddfast uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.contract import Peer, Reader, Sample

NAME = "data.msgpack"


class DatadingsReader(Reader):
    """Its `MsgpackReader`, with default options."""

    def __init__(self, path: Path) -> None:
        from datadings.reader import MsgpackReader

        self.reader = MsgpackReader(path)
        self.get = self.reader.get  # type: ignore[method-assign]

    def __len__(self) -> int:
        return len(self.reader)

    def samples(self) -> Iterator[Sample]:
        return self.reader.iter(0)

    def close(self) -> None:
        self.reader.__exit__(None, None, None)


class Datadings(Peer):
    """Its `FileWriter`."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        from datadings.writer import FileWriter

        with FileWriter(folder / NAME, disable=True) as writer:
            for sample in samples:
                writer.write(sample)

    def open(self, folder: Path) -> Reader:
        return DatadingsReader(folder / NAME)


PEER = Datadings()
