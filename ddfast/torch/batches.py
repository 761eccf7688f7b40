"""Whole batches of a reader as a dataset for PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from ddfast.batch import Batch, Column, ViewsColumn
from ddfast.errors import UnevenBatchesError
from ddfast.order import Part, Shuffle
from ddfast.torch.place import this_rank, this_worker


class BatchDataset(IterableDataset):
    """Batches of ``reader.batches`` for a DataLoader: columns instead of samples, without collating in Python.

    A batch is a dict from field to a tensor, or to a list if the values do not form one tensor::

        dataset = BatchDataset(MsgpackReader("train.msgpack"), 256, shuffle=True, columns=["image", "label"])
        loader = DataLoader(dataset, batch_size=None)
        for epoch in range(3):
            for batch in loader:
                batch["label"]  # tensor, shape (256,)
                batch["image"]  # list of bytes

    The threads of the reader read ahead and decode, so workers are useful only if `transform` is expensive, for example
    if it decodes images. Then use ``num_workers=4, persistent_workers=True``.

    In each step of the order, each worker of each rank takes one batch. With one rank, the order of batches does not
    depend on the number of workers. The workers share the last step evenly, so it may have several short batches.

    A batch without any sample left by the reader's `on_error` is skipped; with several ranks it raises
    `UnevenBatchesError`.

    Each worker counts epochs, from one iteration to the next, as in `ddfast.torch.IterableDataset`.

    Parameters:
        reader: any reader with ``batches``.
        batch_size: number of samples per batch.
        shuffle: see ``reader.batches``.
        seed: see ``reader.batches``.
        epoch: the first epoch, from 0.
        columns: names of the columns to deliver; None for all.
        drop_last: skip the last step if it is not full.
        transform: function that changes each batch in the worker. Its argument is the dict that ``Batch.to_torch``
            returns, in which columns of str, bytes and others are views of the memory that was read. If it returns a
            dict, such columns in it are converted to lists, because views cannot be sent to another process.
        group: process group whose ranks share the reader; None for the default one.

    Attributes:
        epoch: the next epoch.
        rank: rank of the process that made the dataset.
        world_size: number of ranks.

    Raises:
        ValueError: `batch_size` is below 1.
    """

    def __init__(
        self,
        reader: Any,
        batch_size: int,
        *,
        shuffle: Shuffle = False,
        seed: int = 0,
        epoch: int = 0,
        columns: Sequence[str] | None = None,
        drop_last: bool = False,
        transform: Callable[[dict[Any, Any]], Any] | None = None,
        group: Any = None,
    ) -> None:
        self.reader = reader
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = epoch
        self.columns = columns
        self.drop_last = drop_last
        self.transform = transform
        self.rank, self.world_size = this_rank(group)
        self._start = 0  # position at which the next pass starts
        self._at: tuple[int, int] | None = None  # epoch and position of an unfinished pass
        self._part(0, 1)  # checks batch_size

    def count(self, num_workers: int = 0) -> int:
        """Number of batches that a DataLoader with `num_workers` workers delivers on this rank in a whole pass."""
        return self._count(self.rank, max(1, num_workers), 0)

    def __iter__(self) -> Iterator[Any]:
        """The batches of this process in one epoch, or in the rest of it after `load_state_dict`.

        Raises:
            UnevenBatchesError: some ranks would deliver more batches than others, or a batch has no sample
                left; also a `RuntimeError`.
        """
        worker, workers = this_worker()
        epoch, start = self.epoch, self._start
        self._require_even_batches(workers, start)
        self.epoch, self._start, self._at = epoch + 1, 0, (epoch, start)
        part = self._part(self.rank * workers + worker, workers, start)
        batches = self.reader.batches(
            self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            epoch=epoch,
            start=start,
            rank=part.rank,
            world_size=part.world_size,
            drop_last=self.drop_last,
            columns=self.columns,
        )
        for number, batch in enumerate(batches, 1):
            self._at = epoch, min(part.n, start + number * part.stride)
            if len(batch):
                yield self._delivered(batch)
            elif self.world_size > 1:
                raise self._no_samples(number - 1)
        self._at = None

    def state_dict(self) -> dict[str, int]:
        """State of this process: the epoch, and the position in its order after the delivered batches."""
        epoch, position = self._at or (self.epoch, self._start)
        return {"epoch": epoch, "position": position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Make the next iteration continue from a state.

        The state of a dataset without workers is valid for any batch size and number of ranks. The state of
        a worker is valid only for the same worker, batch size and number of ranks.

        Raises:
            ValueError: the position is outside of the dataset.
        """
        self._part(0, 1, state["position"])
        self.epoch, self._start, self._at = state["epoch"], state["position"], None

    def _part(self, number: int, workers: int, start: int = 0) -> Part:
        parts = self.world_size * workers
        return Part(len(self.reader), self.batch_size, start, number, parts, self.drop_last)

    def _count(self, rank: int, workers: int, start: int) -> int:
        return sum(len(self._part(rank * workers + worker, workers, start)) for worker in range(workers))

    def _require_even_batches(self, workers: int, start: int) -> None:
        most, least = (self._count(rank, workers, start) for rank in (0, self.world_size - 1))
        if most != least:
            raise UnevenBatchesError(
                f"{len(self.reader) - start:,} samples in batches of {self.batch_size}: rank 0 would have {most} "
                f"batches, but rank {self.world_size - 1} only {least}, so rank 0 would wait for ever. Use "
                "drop_last=True, or change num_workers, batch_size, or world_size"
            )

    def _no_samples(self, number: int) -> UnevenBatchesError:
        return UnevenBatchesError(
            f"batch {number} of this process has no sample left after `on_error`, so other ranks would wait for ever. "
            "Use larger batches, or make a dataset without the damaged samples with `ddfast recover`"
        )

    def _delivered(self, batch: Batch) -> Any:
        columns = batch.to_torch()
        result = columns if self.transform is None else self.transform(columns)
        if not isinstance(result, dict):
            return result
        return {name: _free(value) for name, value in result.items()}


def _free(value: Any) -> Any:
    """A column as a list of values that can be sent to another process; other values unchanged."""
    if isinstance(value, ViewsColumn):
        return [torch.from_numpy(_own(array)) for array in value]
    return value.tolist() if isinstance(value, Column) else value


def _own(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A writable copy in the byte order of this machine."""
    return array.astype(array.dtype.newbyteorder("="))
