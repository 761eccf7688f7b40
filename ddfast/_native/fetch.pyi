from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddfast._native.arena import Pool
from ddfast._native.columns import Table
from ddfast._native.engine import Engine
from ddfast._native.order import Order
from ddfast._native.shards import Shards

class Fetch:
    """One group of batches that is being fetched. Dropping it cancels the remaining reads.

    Parameters:
        engine: the queue that reads it.
        shards: the data files, and the positions of the samples in them.
        pool: provides the memory.
        indices: the samples to fetch; shape ``(count,)``. Or None:
        order: fetch the samples at positions of this order.
        first: position of the first batch in the order.
        stride: positions from the start of one batch to the start of the next.
        count: number of samples in all batches.
        batch_size: samples of every batch but the last.
        columns: names of the columns to make; None for all.
        tables: False to make no columns and check no samples.
        max_gap: the coalescing distance: samples at most this many bytes apart in the file share a read.
        max_read: maximum size of one read in bytes.
        max_bytes: a fetch of more bytes of data fails before it reads; 0 for no limit.
    """

    first: int
    stride: int

    def __init__(
        self,
        engine: Engine,
        shards: Shards,
        pool: Pool,
        *,
        indices: NDArray[np.int64] | None = None,
        order: Order | None = None,
        first: int = 0,
        stride: int = 0,
        count: int = 0,
        batch_size: int = 0,
        columns: Sequence[str] | None = None,
        tables: bool = True,
        max_gap: int,
        max_read: int,
        max_bytes: int = 0,
    ) -> None: ...
    def submit(self) -> None:
        """Submit the fetch to the engine.

        Raises:
            RuntimeError: it was submitted or run before.
        """
    def run(self, timeout: float) -> bool:
        """Instead of `submit`: read in the calling thread what is cached, and wait for the rest.

        Returns:
            False if it is not done after `timeout` seconds; continue with `wait`.
        """
    def wait(self, timeout: float) -> bool:
        """Block for at most `timeout` seconds. Returns whether it is done."""
    @property
    def done(self) -> bool:
        """Whether all batches are read and built, or the fetch has failed."""
    @property
    def held(self) -> int:
        """Bytes of memory that it holds so far."""
    @property
    def waited(self) -> int:
        """Bytes that were not cached, so that the fetch waited for them."""
    @property
    def cost(self) -> tuple[int, int, int]:
        """Number of bytes read, of reads, and of reads that were saved because samples share one.

        Raises:
            RuntimeError: it is not done yet.
        """
    def __len__(self) -> int:
        """Number of batches."""
    def check(self) -> None:
        """Raise the error that made the whole fetch fail, if there is one.

        Raises:
            KernelError: a file was truncated or changed (`item` is the shard, `pos` the position in its data file), the
                fetch has more than `max_bytes`, or it was cancelled.
            OSError: a file cannot be read; with `item` and `pos` as above.
            RuntimeError: it is not done yet.
        """
    def table(self, batch: int) -> Table:
        """Samples and columns of one batch.

        Raises:
            KernelError: a sample of the batch is damaged; `item` is its number in the batch, `pos` the byte in it. Or
                as `check`.
        """
    def span(self, sample: int) -> tuple[int, int]:
        """Start and stop of a sample, given by its number in the fetch, in the data files one after the other.

        Raises:
            KernelError: as `table`.
        """
    def indices(self, batch: int) -> NDArray[np.int64]:
        """Indices of the samples of one batch, in their order; known even if reading them failed.

        Raises:
            KernelError: there was no memory for the batch.
        """
