"""Asynchronous iterators over batches and samples."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from ddfast._native.fetch import Fetch
from ddfast.batch import Batch
from ddfast.dataset.base import BaseDataset
from ddfast.errors import DdfastError, SharedPositionError
from ddfast.loading.on_error import ErrorPolicy
from ddfast.loading.stream import Stream

__all__ = ["BatchStream", "SampleStream"]

# A loop whose batches are always ready yields to other tasks this often, so that timeouts and cancellation work.
YIELD_SECONDS = 0.005


class BatchStream(AsyncIterator[Batch]):
    """Asynchronous iterator over batches. ``len`` is the number of batches of the whole pass.

    A loop that ends early needs no clean-up: reads ahead are cancelled when the stream is dropped or closed.
    """

    def __init__(self, stream: Stream, wait: Callable[[Fetch], Awaitable[None]]) -> None:
        self._stream = stream
        self._wait = wait
        self._slept = time.monotonic()

    def __len__(self) -> int:
        return len(self._stream)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} batches>"

    async def __anext__(self) -> Batch:
        stream = self._stream
        if time.monotonic() - self._slept > YIELD_SECONDS:
            await asyncio.sleep(0)
            self._slept = time.monotonic()
        while (batch := stream.poll()) is None:
            head = stream.head
            if head is None:
                raise StopAsyncIteration
            await self._wait(head)
            self._slept = time.monotonic()
        return batch

    async def aclose(self) -> None:
        """End the stream and cancel reads ahead."""
        self._stream.close()


class SampleStream(AsyncIterator[Any]):
    """Asynchronous iterator over samples, of unknown length. A loop that ends early needs no clean-up."""

    def __init__(self, batches: BatchStream, raw: bool, policy: ErrorPolicy, dataset: BaseDataset) -> None:
        self._batches = batches
        self._raw = raw
        self._policy = policy
        self._dataset = dataset
        self._batch: Batch | None = None
        self._at = 0
        self._is_waiting = False

    async def __anext__(self) -> Any:
        while True:
            while self._batch is None or self._at == len(self._batch):
                await self._next_batch()
            assert self._batch is not None
            position = self._at
            self._at += 1
            if self._raw:
                return self._batch.raw(position)
            try:
                return self._batch.decode(position)
            except DdfastError as error:
                self._policy.pass_over(error, self._dataset, int(self._batch.indices[position]))

    async def _next_batch(self) -> None:
        if self._is_waiting:
            raise SharedPositionError(
                "two tasks take samples of one stream at the same time, so both would miss samples. Call `samples` in "
                "each task, with `rank` and `world_size` to share a pass"
            )
        self._is_waiting, self._batch = True, None
        try:
            self._batch, self._at = await self._batches.__anext__(), 0
        finally:
            self._is_waiting = False

    async def aclose(self) -> None:
        """End the stream and cancel reads ahead."""
        self._batch = None
        await self._batches.aclose()
