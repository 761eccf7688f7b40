"""The order of the samples of an epoch, and the part of it that each rank reads.

An order maps positions of an epoch, from 0, to sample indices. It depends only on the dataset, the kind of shuffle, the
seed and the epoch. Every rank follows the same order: in each step the ranks take ``batch_size`` positions each, rank 0
first. The state of a pass is therefore one number, the position that all ranks have reached, and a pass can be resumed
with another batch size or another number of ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast._native.order import Order
from ddfast.loading.options import BatchOptions, Shuffle

__all__ = ["Order", "Part", "Shuffle", "epoch_order", "listed_order", "plan_pass"]

# Block shuffle: blocks large enough for an efficient read from remote storage, windows large enough to mix.
BLOCK_BYTES = 1 << 20
WINDOW_BLOCKS = 64

SEEDS = 1 << 64


def epoch_order(n: int, data_size: int, shuffle: Shuffle, seed: int, epoch: int) -> Order:
    """The order of one epoch.

    Parameters:
        n: number of samples.
        data_size: bytes of all samples; with ``shuffle="block"``, a block has as many samples as take 1 MiB on average.
        shuffle: False for the order of the file; True for a full shuffle; ``"block"`` for one that reads blocks of
            consecutive samples and mixes the samples of 64 blocks at a time.
        seed: any integer.
        epoch: pass over the dataset, from 0.

    Raises:
        ValueError: `shuffle` has another value.
        TypeError: seed or epoch is not an integer.
    """
    if shuffle not in (False, True, "block"):
        raise ValueError(f'shuffle is {shuffle!r}, not False, True or "block"')
    block = max(1, round(BLOCK_BYTES * n / max(1, data_size)))
    seed, epoch = _integer("seed", seed), _integer("epoch", epoch)
    return Order(n, shuffle, seed % SEEDS, epoch % SEEDS, min(block, max(1, n)), WINDOW_BLOCKS)


def _integer(name: str, value: Any) -> int:
    """The argument of this name as a Python int, which cannot overflow."""
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, not an integer") from None


def listed_order(indices: NDArray[np.int64], shuffle: Shuffle = False) -> Order:
    """The order given by a list of sample indices.

    Parameters:
        indices: shape ``(n,)``, none negative.
        shuffle: the `shuffle` argument of the caller.

    Raises:
        ValueError: `shuffle` is set; the list defines the order.
    """
    if shuffle:
        raise ValueError("indices are an order already: shuffle them before, or omit shuffle")
    return Order.listed(indices)


@dataclass(frozen=True)
class Part:
    """The batches of one rank: each is a stretch of consecutive positions of the order.

    Parameters:
        n: positions of the order.
        batch_size: samples per batch.
        start: position to begin at: the number of samples that all ranks together have taken before.
        rank: this rank, from 0.
        world_size: number of ranks.
        drop_last: leave out the last step if it is not full. Otherwise the ranks share it evenly: its batches are
            shorter, and if it has fewer samples than there are ranks, some ranks have no batch in it.

    Raises:
        ValueError: an argument is out of range.
        TypeError: an argument is not an integer.
    """

    n: int
    batch_size: int
    start: int = 0
    rank: int = 0
    world_size: int = 1
    drop_last: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "start", "rank", "world_size"):
            _integer(name, getattr(self, name))
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, and must be at least 1")
        if not 0 <= self.start <= self.n:
            raise ValueError(f"start is {self.start}, but positions go from 0 to {self.n}")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(
                f"rank is {self.rank}, but ranks go from 0 to world_size - 1 = {self.world_size - 1}"
            )

    @property
    def stride(self) -> int:
        """Positions from the start of one batch to that of the next."""
        return self.batch_size * self.world_size

    @property
    def full(self) -> int:
        """Batches of full size."""
        return (self.n - self.start) // self.stride

    def __len__(self) -> int:
        return self.full + (self._last()[1] > 0)

    def stretch(self, number: int) -> tuple[int, int]:
        """First position and number of samples of a batch."""
        if number < self.full:
            return self.start + number * self.stride + self.rank * self.batch_size, self.batch_size
        return self._last()

    def _last(self) -> tuple[int, int]:
        """This rank's share of the step that is not full."""
        first = self.start + self.full * self.stride
        share, extra = divmod(self.n - first, self.world_size)
        if self.drop_last:
            share = extra = 0
        return first + self.rank * share + min(self.rank, extra), share + (self.rank < extra)


def plan_pass(
    options: BatchOptions, n: int, data_size: int, positions: Callable[[ArrayLike], NDArray[np.int64]]
) -> tuple[Order, Part]:
    """The order and the part of a pass.

    Parameters:
        options: the pass.
        n, data_size: of the dataset, as those of `epoch_order`.
        positions: checks indices and makes negative indices positive.

    Raises:
        ValueError, TypeError: an argument is out of range, or has a wrong type.
        SampleIndexError: an index is out of range.
    """
    if options.indices is None:
        order = epoch_order(n, data_size, options.shuffle, options.seed, options.epoch)
    else:
        order = listed_order(positions(options.indices), options.shuffle)
    return order, Part(
        len(order), options.batch_size, options.start, options.rank, options.world_size, options.drop_last
    )
