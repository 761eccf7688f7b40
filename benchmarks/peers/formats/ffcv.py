"""FFCV: fields of fixed size, read by loaders that are compiled for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ffcv  # noqa: F401 - so that a missing or broken one is reported

from benchmarks.peers.contract import NotOffered, Peer, Reader, Sample


class Ffcv(Peer):
    """Provides only the reason why FFCV is not compared."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        raise NotOffered("no str fields, and bytes are padded to the longest value: not the same samples")

    def open(self, folder: Path) -> Reader:
        raise NotOffered("no str fields, and bytes are padded to the longest value: not the same samples")


PEER = Ffcv()
