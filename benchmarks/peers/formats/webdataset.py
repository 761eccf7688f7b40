"""WebDataset: samples as members of tar files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import webdataset as wds

from benchmarks.peers.contract import NotOffered, Peer, Reader, Sample

SHARD_BYTES = 256 << 20
SHARD_SAMPLES = 100_000
COUNT = "samples.txt"


class WebDatasetReader(Reader):
    """`WebDataset` with its own decoders; shards in order."""

    def __init__(self, folder: Path) -> None:
        self.n = int((folder / COUNT).read_text())
        shards = sorted(map(str, folder.glob("*.tar")))
        self.dataset = wds.WebDataset(shards, shardshuffle=False, empty_check=False).decode()

    def __len__(self) -> int:
        return self.n

    def samples(self) -> Iterator[Sample]:
        return map(named, self.dataset)

    def shuffled(self, size: int, seed: int) -> Iterator[Sample]:
        raise NotOffered("shuffles shards, and samples within a buffer")


def named(sample: Sample) -> Sample:
    """A sample with its original field names."""
    if "npy" in sample:
        return {"key": sample["__key__"], "vec": sample["npy"], "label": sample["cls"]}
    return {"key": f"{sample['__key__']}.jpg", "image": sample["jpg"], "label": sample["cls"]}


class WebDataset(Peer):
    """`ShardWriter` with shards of 256 MB."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        n = 0
        pattern = str(folder / "%06d.tar")
        with wds.ShardWriter(pattern, maxcount=SHARD_SAMPLES, maxsize=SHARD_BYTES, verbose=0) as writer:
            for sample in samples:
                n += 1
                payload = {"npy": sample["vec"]} if "vec" in sample else {"jpg": sample["image"]}
                key = sample["key"].removesuffix(".jpg")
                writer.write({"__key__": key, **payload, "cls": sample["label"]})
        (folder / COUNT).write_text(str(n))

    def open(self, folder: Path) -> Reader:
        return WebDatasetReader(folder)


PEER = WebDataset()
