from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddfast._native.arena import Pool
from ddfast._native.columns import Table
from ddfast._native.engine import Engine
from ddfast._native.order import Order
from ddfast._native.shards import Shards

class Fetch:
    """One group of batches on its way. Dropping it gives up what is not read yet.

    Parameters:
        engine: the queue that reads it.
        shards: the data files, and where the samples lie in them.
        pool: where its memory comes from.
        indices: fetch these samples; shape ``(count,)``. Or:
        order: fetch the samples at positions of this order, beginning with
        first: the position of the first batch, and
        stride: positions from the start of one batch to that of the next,
        count: samples in all.
        batch_size: samples of every batch but the last.
        columns: names of the columns wanted; None for all.
        tables: False for samples without columns, which are not looked at.
        max_gap: samples no further apart in the file than this many bytes share a read.
        max_read: bytes of one read at most.
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
    ) -> None: ...
    def submit(self) -> None:
        """Hand it to the engine.

        Raises:
            RuntimeError: it was submitted or run before.
        """
    def run(self, timeout: float) -> bool:
        """Instead of `submit`: read in the calling thread what is cached, and wait for the rest.

        Returns:
            False if it is not done after `timeout` seconds; go on with `wait`.
        """
    def wait(self, timeout: float) -> bool:
        """Block for at most `timeout` seconds. Returns whether it is done."""
    @property
    def done(self) -> bool:
        """Whether all is read and built, or has failed."""
    @property
    def held(self) -> int:
        """Bytes of memory that it holds so far."""
    @property
    def waited(self) -> int:
        """Bytes that were in no cache and had to be waited for."""
    @property
    def cost(self) -> tuple[int, int, int]:
        """Bytes that it read, in how many reads, and how many reads were saved because samples share one.

        Raises:
            RuntimeError: it is not done yet.
        """
    def __len__(self) -> int:
        """Number of batches."""
    def check(self) -> None:
        """Raise what made the whole fetch fail, if anything.

        Raises:
            KernelError: a file was cut or changed (`item` is the shard, `pos` the position in its data file), or the
                fetch cancelled.
            OSError: a file cannot be read; with `item` and `pos` as above.
            RuntimeError: it is not done yet.
        """
    def table(self, batch: int) -> Table:
        """Samples and columns of one batch.

        Raises:
            KernelError: a sample of the batch is damaged: `item` counts in the batch, `pos` in the sample. Or as
                `check`.
        """
    def indices(self, batch: int) -> NDArray[np.int64]:
        """Indices of the samples of one batch, in their order; known even where reading them failed.

        Raises:
            KernelError: there was no memory for the batch.
        """
