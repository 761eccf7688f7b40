"""MosaicML Streaming: MDS shards, read from a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streaming import MDSWriter, StreamingDataset
from streaming.base.util import clean_stale_shared_memory

from benchmarks.collating import collate
from benchmarks.peers.contract import Columns, Peer, Reader, Sample, peek

BATCH = 256  # also determines how far ahead of the loop shards are prepared


class MdsReader(Reader):
    """`StreamingDataset` on a local folder, without data loader; ``shuffle_algo="naive"`` is a true shuffle."""

    def __init__(self, folder: Path) -> None:
        clean_stale_shared_memory()
        self.folder = str(folder)
        self.dataset = StreamingDataset(local=self.folder, batch_size=BATCH)
        self.mixed: StreamingDataset | None = None
        self.get = self.dataset.__getitem__  # type: ignore[method-assign]

    def __len__(self) -> int:
        return self.dataset.num_samples

    def samples(self) -> Iterator[Sample]:
        return iter(self.dataset)

    def shuffled(self, size: int, seed: int) -> Iterator[Columns]:
        if self.mixed is None:
            self.mixed = StreamingDataset(
                local=self.folder, batch_size=BATCH, shuffle=True, shuffle_algo="naive", shuffle_seed=seed
            )
        block = []
        for sample in self.mixed:
            block.append(sample)
            if len(block) == size:
                yield collate(block)
                block = []
        if block:
            yield collate(block)


class Mds(Peer):
    """`MDSWriter` with shards of 64 MiB, as by default."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        first, samples = peek(samples)
        payload = {"vec": "ndarray:float32:16"} if "vec" in first else {"image": "bytes"}
        with MDSWriter(
            out=str(folder), columns={"key": "str", **payload, "label": "int"}, exist_ok=True
        ) as writer:
            for sample in samples:
                writer.write(sample)

    def open(self, folder: Path) -> Reader:
        return MdsReader(folder)


PEER = Mds()
