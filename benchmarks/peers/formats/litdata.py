"""LitData: chunks that PyTorch Lightning streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from litdata import StreamingDataset
from litdata.streaming.cache import Cache

from benchmarks.peers.contract import Peer, Reader, Sample

CHUNK_BYTES = "64MB"


class LitdataReader(Reader):
    """`StreamingDataset` on a local folder, without data loader."""

    def __init__(self, folder: Path) -> None:
        self.dataset = StreamingDataset(str(folder))
        self.at_random = StreamingDataset(str(folder))
        self.get = self.at_random.__getitem__  # type: ignore[method-assign]

    def __len__(self) -> int:
        return len(self.dataset)

    def samples(self) -> Iterator[Sample]:
        yield from self.dataset  # which is its own iterator, and starts again whenever `iter` is called


class Litdata(Peer):
    """What `optimize(chunk_bytes="64MB")` writes, in this process instead of a worker."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        cache = Cache(str(folder), chunk_bytes=CHUNK_BYTES)
        for index, sample in enumerate(samples):
            cache._add_item(index, sample)
        cache.done()
        cache.merge()

    def open(self, folder: Path) -> Reader:
        return LitdataReader(folder)


PEER = Litdata()
