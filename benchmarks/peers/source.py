"""The samples that all peers store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from benchmarks.datasets import DATASETS
from benchmarks.peers.contract import Sample

BY_NAME = {dataset.name: dataset for dataset in DATASETS}
HEAD_BYTES = 8  # of a label


def samples(name: str, n: int) -> Iterator[Sample]:
    """The samples of a dataset; its first ones do not depend on ``n`` alone, but on nothing else."""
    return BY_NAME[name].samples(n)


def some(name: str, n: int, indices: Iterable[int]) -> dict[int, Sample]:
    """A few samples by index."""
    wanted = set(indices)
    last = max(wanted) + 1
    return {index: sample for index, sample in enumerate(islice(samples(name, n), last)) if index in wanted}


def mean_bytes(name: str, n: int) -> float:
    """Bytes of a sample without any format around it, on average."""
    return sum(map(sample_bytes, samples(name, n))) / n


def sample_bytes(sample: Sample) -> int:
    """Bytes of one sample: key, label and payload."""
    payload = sample["vec"].nbytes if "vec" in sample else len(sample["image"])
    return len(sample["key"]) + HEAD_BYTES + payload
