"""A physical limit: copies of whole messages from memory into one reused buffer; nothing is decoded."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.contract import NotOffered, Peer, Reader, Sample
from benchmarks.peers.formats.preadv import NAME, SpanReader

MOST = 256 << 20  # bytes held; more than any cache of a processor has


class MemoryReader(SpanReader):
    """The beginning of the file in memory; spans after it are copied from the beginning too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with (folder / NAME).open("rb") as file:
            self.data = memoryview(file.read(MOST))
        longest = max(map(int.__sub__, self.offsets[256:], self.offsets), default=self.offsets[-1])
        self.room = max(1, len(self.data) - longest)
        self.buffer = memoryview(mmap.mmap(-1, max(1, longest)))

    def copy(self, start: int, stop: int) -> None:
        at, length = start % self.room, stop - start
        self.buffer[:length] = self.data[at : at + length]


class Memory(Peer):
    """Writes nothing."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        raise NotOffered("nothing is written")

    def open(self, folder: Path) -> Reader:
        return MemoryReader(folder)


PEER = Memory()
