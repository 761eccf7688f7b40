"""squirrel: gzipped shards of msgpack."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from squirrel.driver import MessagepackDriver
from squirrel.serialization import MessagepackSerializer
from squirrel.store import SquirrelStore

from benchmarks.peers.contract import NotOffered, Peer, Reader, Sample

SHARD = 1000
COUNT = "samples.txt"


class SquirrelReader(Reader):
    """`MessagepackDriver.get_iter`, shards in order."""

    def __init__(self, folder: Path) -> None:
        self.n = int((folder / COUNT).read_text())
        self.driver = MessagepackDriver(str(folder))

    def __len__(self) -> int:
        return self.n

    def samples(self) -> Iterator[Sample]:
        return iter(self.driver.get_iter())

    def shuffled(self, size: int, seed: int) -> Iterator[Sample]:
        raise NotOffered("shuffles shards, and samples within a buffer")


class Squirrel(Peer):
    """`SquirrelStore.set` with shards of 1000 samples; gzip cannot be disabled."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        store = SquirrelStore(str(folder), serializer=MessagepackSerializer())
        n = 0
        for number in count():
            shard = list(islice(samples, SHARD))
            if not shard:
                break
            store.set(shard, key=f"{number:06d}")
            n += len(shard)
        (folder / COUNT).write_text(str(n))

    def open(self, folder: Path) -> Reader:
        return SquirrelReader(folder)


PEER = Squirrel()
