"""The samples that all peers store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice

from benchmarks.datasets import DATASETS
from benchmarks.peers.contract import Sample

BY_NAME = {dataset.name: dataset for dataset in DATASETS}
LABEL_BYTES = 8
HEAD = 1000  # samples from which the mean size is computed


def samples(name: str, n: int) -> Iterator[Sample]:
    """The samples of a dataset."""
    return BY_NAME[name].samples(n)


def some(name: str, n: int, indices: Iterable[int]) -> dict[int, Sample]:
    """A few samples by index."""
    wanted = set(indices)
    last = max(wanted) + 1
    return {index: sample for index, sample in enumerate(islice(samples(name, n), last)) if index in wanted}


def mean_bytes(name: str, n: int) -> float:
    """Bytes of a sample without any format around it, on average."""
    return sum(map(sample_bytes, samples(name, n))) / n


@cache
def fitting(name: str, gigabytes: float) -> int:
    """Number of samples of a dataset with this many bytes in total: all, or a number with two significant digits."""
    n = BY_NAME[name].n
    head = min(n, HEAD)
    most = int(gigabytes * 1e9 * head / sum(map(sample_bytes, islice(samples(name, n), head))))
    if most >= n:
        return n
    step = 10 ** max(0, len(str(most)) - 2)
    return max(1, most // step * step)


def sample_bytes(sample: Sample) -> int:
    """Bytes of one sample: key, label and payload."""
    payload = sample["vec"].nbytes if "vec" in sample else len(sample["image"])
    return len(sample["key"]) + LABEL_BYTES + payload
