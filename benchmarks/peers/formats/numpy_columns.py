"""One NumPy file per column, mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from benchmarks.peers.contract import Columns, NotOffered, Peer, Reader, Sample, peek

BLOCK = 10_000
RUN = 1024  # samples of one batch, where samples are read one by one


class NumpyReader(Reader):
    """Mapped files; batches are copies of parts of them."""

    def __init__(self, folder: Path) -> None:
        self.maps = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("key", "vec", "label")}

    def __len__(self) -> int:
        return len(self.maps["label"])

    def samples(self) -> Iterator[Sample]:
        return chain.from_iterable(rows(columns) for columns in self.batches(RUN))

    def batches(self, size: int) -> Iterator[Columns]:
        for start in range(0, len(self), size):
            yield {name: np.array(values[start : start + size]) for name, values in self.maps.items()}

    def get(self, index: int) -> Sample:
        maps = self.maps
        return {
            "key": maps["key"][index].decode(),
            "vec": np.array(maps["vec"][index]),
            "label": int(maps["label"][index]),
        }

    def get_batch(self, indices: Sequence[int]) -> Columns:
        return {name: values[indices] for name, values in self.maps.items()}


def rows(columns: Columns) -> Iterator[Sample]:
    """The samples of some columns."""
    keys, labels = columns["key"].tolist(), columns["label"].tolist()
    for key, vec, label in zip(keys, columns["vec"], labels, strict=True):
        yield {"key": key.decode(), "vec": vec, "label": label}


class NumpyColumns(Peer):
    """`numpy.save`, column by column."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        first, samples = peek(samples)
        if "vec" not in first:
            raise NotOffered("for arrays of one shape")
        parts: dict[str, list[np.ndarray]] = {"key": [], "vec": [], "label": []}
        while block := list(islice(samples, BLOCK)):
            parts["key"].append(np.array([sample["key"].encode() for sample in block]))
            parts["vec"].append(np.stack([sample["vec"] for sample in block]))
            parts["label"].append(np.array([sample["label"] for sample in block]))
        for name, arrays in parts.items():
            np.save(folder / f"{name}.npy", np.concatenate(arrays))

    def open(self, folder: Path) -> Reader:
        return NumpyReader(folder)


PEER = NumpyColumns()
