"""A physical limit: plain `preadv` of whole messages into one reused buffer; nothing is decoded."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.contract import Columns, Peer, Reader, Sample

NAME = "data.msgpack"
PAGE = mmap.PAGESIZE


class SpanReader(Reader):
    """Reads the spans of a file of messages. Subclasses define how one is copied."""

    def __init__(self, folder: Path) -> None:
        import numpy as np

        self.offsets = np.fromfile(folder / f"{NAME}.offsets", ">u8").tolist()
        self.order: Any = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def copy(self, start: int, stop: int) -> None:
        """Copy bytes ``[start, stop)`` of the file."""
        raise NotImplementedError

    def samples(self) -> Iterator[Any]:
        for start, stop in zip(self.offsets, self.offsets[1:], strict=False):
            self.copy(start, stop)
            yield b"copied"

    def batches(self, size: int) -> Iterator[Columns]:
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            self.copy(self.offsets[start], self.offsets[stop])
            yield {"label": range(start, stop)}

    def get(self, index: int) -> Any:
        self.copy(self.offsets[index], self.offsets[index + 1])

    def get_batch(self, indices: Sequence[int]) -> Columns:
        copy, offsets = self.copy, self.offsets
        for index in indices:
            copy(offsets[index], offsets[index + 1])
        return {"label": indices}


class PreadvReader(SpanReader):
    """`preadv` to addresses congruent to the position in the file, because other copies are slower."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fd = os.open(folder / NAME, os.O_RDONLY)
        longest = max(map(int.__sub__, self.offsets[256:], self.offsets), default=self.offsets[-1])
        self.buffer = memoryview(mmap.mmap(-1, longest + 2 * PAGE))

    def copy(self, start: int, stop: int) -> None:
        at = start % PAGE
        os.preadv(self.fd, [self.buffer[at : at + stop - start]], start)

    def close(self) -> None:
        os.close(self.fd)


class Preadv(Peer):
    """A buffered write of packed samples, with their MD5."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        import numpy as np

        from ddfast.tools.msgpack import packb

        offsets, digest = [0], hashlib.md5(usedforsecurity=False)
        with (folder / NAME).open("wb", buffering=1 << 20) as file:
            for sample in samples:
                message = packb(sample)
                digest.update(message)
                file.write(message)
                offsets.append(offsets[-1] + len(message))
        (folder / f"{NAME}.md5").write_text(f"{digest.hexdigest()}  {NAME}\n")
        np.array(offsets, ">u8").tofile(folder / f"{NAME}.offsets")

    def open(self, folder: Path) -> Reader:
        return PreadvReader(folder)


PEER = Preadv()
