"""Whole batches of a reader as a dataset for PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ddfast.batch import Batch, Column, ViewsColumn
from ddfast.errors import UnevenBatchesError
from ddfast.order import Part, Shuffle
from ddfast.torch.counted import CountedDataset
from ddfast.torch.epochs import Pass
from ddfast.torch.place import this_rank, this_worker


class BatchDataset(CountedDataset):
    """Batches of ``reader.batches`` for a DataLoader: columns instead of samples, without collating in Python.

    A batch is a dict from field to a tensor, or to a list if the values do not form one tensor::

        dataset = BatchDataset(MsgpackReader("train.msgpack"), 256, shuffle=True, columns=["image", "label"])
        loader = DataLoader(dataset, batch_size=None)
        for epoch in range(3):
            for batch in loader:
                batch["label"]  # tensor, shape (256,)
                batch["image"]  # list of bytes

    The threads of the reader read ahead and decode, so workers are useful only if `transform` is expensive, for example
    if it decodes images.

    Each rank delivers the batches of ``reader.batches(rank=rank, world_size=world_size)``. Its workers take them in
    turn, so the batches and their order do not depend on the number of workers. ``len`` is the number of batches of
    this rank in a whole pass.

    A batch without any sample left by the reader's `on_error` is skipped; with several ranks it raises
    `UnevenBatchesError`.

    The dataset counts epochs: each pass over it, or over a DataLoader with any workers, is the next epoch. The count is
    shared with the workers. `set_epoch` changes it.

    Parameters:
        reader: any reader with ``batches``.
        batch_size: number of samples per batch.
        shuffle: see ``reader.batches``.
        seed: see ``reader.batches``.
        epoch: the first epoch, from 0.
        columns: names of the columns to deliver; None for all.
        drop_last: skip the last step of all ranks if it is not full.
        transform: function that changes each batch in the worker. Its argument is the dict that ``Batch.to_torch``
            returns, in which columns of str, bytes and others are views of the memory that was read. If it returns a
            dict, such columns in it are converted to lists, because views cannot be sent to another process.
        group: process group whose ranks share the reader; None for the default one.

    Attributes:
        epoch: the next epoch.
        rank: rank of the process that made the dataset.
        world_size: number of ranks.

    Raises:
        UnevenBatchesError: from iteration: some ranks would deliver more batches than others, or a batch has no sample
            left; also a `RuntimeError`.
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
        self.columns = columns
        self.drop_last = drop_last
        self.transform = transform
        self.rank, self.world_size = this_rank(group)
        self._part(0)  # checks batch_size
        super().__init__(epoch)

    def __len__(self) -> int:
        """Number of batches that this rank delivers in a whole pass, with any number of workers."""
        return len(self._part(0))

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Make the next pass continue from a state, with any number of workers.

        The state is valid for any batch size and number of ranks. After `k` batches on each rank, also of a DataLoader
        with workers, the position is ``k * batch_size * world_size``. The state of a worker is valid only for the same
        worker, batch size and number of ranks.

        Raises:
            ValueError: the position is outside of the dataset.
        """
        self._part(state["position"])
        super().load_state_dict(state)

    def _part(self, start: int, rank: int | None = None) -> Part:
        """The batches of a rank from a position on."""
        rank = self.rank if rank is None else rank
        return Part(len(self.reader), self.batch_size, start, rank, self.world_size, self.drop_last)

    def _check(self, begun: Pass) -> None:
        most, least = (len(self._part(begun.start, rank)) for rank in (0, self.world_size - 1))
        if most != least:
            raise UnevenBatchesError(
                f"{len(self.reader) - begun.start:,} samples in batches of {self.batch_size}: rank 0 would have {most} "
                f"batches, but rank {self.world_size - 1} only {least}, so rank 0 would wait for ever. Use "
                "drop_last=True, or change batch_size or world_size"
            )

    def _items(self, begun: Pass) -> Iterator[tuple[int, Any]]:
        stride = self._part(begun.start).stride * this_worker()[1]
        for number, batch in enumerate(self._batches(begun), 1):
            if len(batch):
                yield min(len(self.reader), begun.start + number * stride), self._delivered(batch)
            elif self.world_size > 1:
                raise self._no_samples(number - 1)

    def _batches(self, begun: Pass) -> Iterator[Batch]:
        """Every batch of this rank of which the number is that of this worker, modulo the number of workers."""
        worker, workers = this_worker()
        if workers == 1:
            yield from self._read(begun, begun.start, self.rank, 1, self.drop_last)
            return
        part = self._part(begun.start)
        yield from self._read(begun, begun.start, worker * self.world_size + self.rank, workers, True)
        last = (part.n - begun.start) // (part.stride * workers) * workers + worker
        if last < len(part):
            start = begun.start + last * part.stride
            yield next(self._read(begun, start, self.rank, 1, self.drop_last))

    def _read(self, begun: Pass, start: int, rank: int, workers: int, drop_last: bool) -> Iterator[Batch]:
        batches: Iterator[Batch] = self.reader.batches(
            self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            epoch=begun.epoch,
            start=start,
            rank=rank,
            world_size=self.world_size * workers,
            drop_last=drop_last,
            columns=self.columns,
        )
        return batches

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
