"""LMDB: a B+ tree in a mapped file; position -> record."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import lmdb

from benchmarks.peers.contract import Columns, Peer, Reader, Sample
from benchmarks.peers.records import columns, pack, unpack

KEY = struct.Struct(">Q")  # big-endian, so that the order of keys is that of positions
ROOM = 1 << 40
COMMIT = 1000


class LmdbReader(Reader):
    """One read-only transaction. Values come as bytes, copied out of the map, as by default."""

    def __init__(self, folder: Path) -> None:
        self.env = lmdb.open(str(folder), readonly=True, lock=False)
        self.transaction = self.env.begin()
        self.n = self.transaction.stat()["entries"]

    def __len__(self) -> int:
        return self.n

    def samples(self) -> Iterator[Sample]:
        return map(unpack, self.transaction.cursor().iternext(keys=False))

    def batches(self, size: int) -> Iterator[Columns]:
        records = self.transaction.cursor().iternext(keys=False)
        while block := list(islice(records, size)):
            yield columns(block)

    def get(self, index: int) -> Sample:
        return unpack(self.transaction.get(KEY.pack(index)))

    def get_batch(self, indices: Sequence[int]) -> Columns:
        get = self.transaction.get
        return columns([get(KEY.pack(index)) for index in indices])

    def close(self) -> None:
        self.transaction.abort()
        self.env.close()


class Lmdb(Peer):
    """Appended in order, with a commit every 1000 samples, synced once at the end."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        env = lmdb.open(str(folder), map_size=ROOM, sync=False, meminit=False)
        numbers = count()
        while block := list(islice(samples, COMMIT)):
            with env.begin(write=True) as transaction:
                for sample in block:
                    transaction.put(KEY.pack(next(numbers)), pack(sample), append=True)
        env.sync(True)
        env.close()

    def open(self, folder: Path) -> Reader:
        return LmdbReader(folder)


PEER = Lmdb()
