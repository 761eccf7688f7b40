"""The ``batches`` method of readers, blocking and asynchronous."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from ddfast.loading.options import BatchOptions, Shuffle, check_columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["BatchedReader"]

BatchesT_co = TypeVar("BatchesT_co", covariant=True)


class BatchedReader(ABC, Generic[BatchesT_co]):
    """A reader that delivers batches; subclasses implement `_open_batches`."""

    def batches(
        self,
        batch_size: int,
        *,
        indices: ArrayLike | None = None,
        shuffle: Shuffle = False,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
        columns: Sequence[str] | None = None,
        raw: bool = False,
    ) -> BatchesT_co:
        """One pass over the dataset in batches, in order. The position of a blocking reader does not change.

        Readers of msgpack files read batches ahead, within their budget of memory. The order of samples depends only
        on the dataset, `shuffle`, `seed` and `epoch`. A damaged sample raises its error when its batch is due, unless
        `on_error` leaves it out; the next call continues after that batch.

        Parameters:
            batch_size: samples per batch.
            indices: visit these samples in this order, each any number of times, instead of the whole dataset; shape
                ``(n,)``, negative indices count from the end.
            shuffle: False for the order of the file; True for a full shuffle; ``"block"`` for one that reads blocks of
                about 1 MiB and mixes the samples of 64 blocks at a time, for storage on which small reads are slow.
            seed, epoch: select the shuffled order.
            start: position in the order to begin at, to resume a pass: the number of samples that all ranks together
                have received.
            rank, world_size: deliver the part of one rank. In each step every rank takes `batch_size` samples, rank 0
                first, so that all ranks together follow the same order for any number of ranks.
            drop_last: leave out the last step if it is not full. Otherwise the ranks share it evenly.
            columns: names of the columns to build; None for those of the reader. ``()`` builds none, for programs that
                use samples only.
            raw: build no columns and deliver packed samples, unchecked.

        Raises:
            ValueError: an argument is out of range.
            SampleIndexError: `indices` has an index that is out of range.
        """
        return self._open_batches(
            BatchOptions(
                batch_size,
                indices,
                shuffle,
                seed,
                epoch,
                start,
                rank,
                world_size,
                drop_last,
                check_columns(columns),
                raw,
            )
        )

    @abstractmethod
    def _open_batches(self, options: BatchOptions) -> BatchesT_co:
        """The iterator over the batches of one pass; the columns are checked already."""
