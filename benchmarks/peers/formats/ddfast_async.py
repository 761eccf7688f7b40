"""ddfast, with `AsyncReader`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.contract import Columns, NotOffered, Reader, Sample
from benchmarks.peers.formats.ddfast import NAME, Ddfast
from ddfast import AsyncReader

ONE_CALL = "not useful for one call at a time: use MsgpackReader"


class DdfastAsyncReader(Reader):
    """`AsyncReader`, with default options, on asyncio's own event loop."""

    def __init__(self, path: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.reader = AsyncReader(path)
        self.run(self.reader.__aenter__())

    def __len__(self) -> int:
        return len(self.reader)

    def samples(self) -> AsyncIterator[Sample]:  # type: ignore[override]
        return self.reader.samples()

    async def batches(self, size: int, **order: Any) -> AsyncIterator[Columns]:  # type: ignore[override]
        async for batch in self.reader.batches(size, **order):
            yield batch.to_dict()

    def shuffled(self, size: int, seed: int) -> AsyncIterator[Columns]:  # type: ignore[override]
        return self.batches(size, shuffle=True, seed=seed)

    def get(self, index: int) -> Sample:
        raise NotOffered(ONE_CALL)

    def get_batch(self, indices: Sequence[int]) -> Columns:
        raise NotOffered(ONE_CALL)

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def close(self) -> None:
        self.run(self.reader.close())
        self.loop.close()


class DdfastAsync(Ddfast):
    """The files of `FileWriter`."""

    def write(self, samples: Iterator[Sample], folder: Path) -> None:
        raise NotOffered("reads the files of `FileWriter`")

    def open(self, folder: Path) -> Reader:
        return DdfastAsyncReader(folder / NAME)


PEER = DdfastAsync()
