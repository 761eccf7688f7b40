"""Which sample comes when: the order of an epoch, and the part of it that each rank gets.

An order maps positions of an epoch, from 0, to sample indices; it depends on the dataset, the kind of shuffle, seed
and epoch alone. Every rank walks the same order: in each step the ranks take ``batch_size`` positions each, rank 0
first. So the state of a pass is one number, the position that all ranks have come to, and a pass may go on with another
batch size or another number of ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ddfast._native.order import Order

__all__ = ["Order", "Part", "Shuffle", "epoch_order", "listed_order"]

Shuffle = bool | Literal["block"]

# Block shuffle: blocks long enough for one efficient read from far storage, windows wide enough to mix.
BLOCK_BYTES = 1 << 20
WINDOW_BLOCKS = 64

SEEDS = 1 << 64


def epoch_order(n: int, data_size: int, shuffle: Shuffle, seed: int, epoch: int) -> Order:
    """The order of one epoch.

    Parameters:
        n: number of samples.
        data_size: bytes of all samples; with ``shuffle="block"``, blocks have as many samples as take 1 MiB on average.
        shuffle: False for the order of the file; True for a true shuffle; ``"block"`` for one that reads blocks of
            consecutive samples and mixes the samples of 64 blocks at a time.
        seed: any integer.
        epoch: pass over the dataset, from 0.

    Raises:
        ValueError: there is no such shuffle.
        TypeError: seed or epoch is no integer.
    """
    if shuffle not in (False, True, "block"):
        raise ValueError(f'shuffle is {shuffle!r}, not False, True or "block"')
    block = max(1, round(BLOCK_BYTES * n / max(1, data_size)))
    seed, epoch = _integer("seed", seed), _integer("epoch", epoch)
    return Order(n, shuffle, seed % SEEDS, epoch % SEEDS, min(block, max(1, n)), WINDOW_BLOCKS)


def _integer(name: str, value: Any) -> int:
    """The argument of this name as an int of Python, which has room for whatever is computed from it."""
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, not an integer") from None


def listed_order(indices: NDArray[np.int64], shuffle: Shuffle = False) -> Order:
    """The order that a list of sample indices spells out.

    Parameters:
        indices: shape ``(n,)``, none negative.
        shuffle: what the caller asked for beside; a list is an order already.
    """
    if shuffle:
        raise ValueError("indices are an order already: shuffle them yourself, or leave shuffle out")
    return Order.listed(indices)


@dataclass(frozen=True)
class Part:
    """The batches of one rank: which stretch of the order each of them is.

    Parameters:
        n: positions of the order.
        batch_size: samples of a batch.
        start: position to begin at; what the ranks have taken together before.
        rank: this rank, from 0.
        world_size: number of ranks.
        drop_last: leave out the last step if it is not full. Otherwise the ranks share it evenly, so that it may be
            shorter, and some ranks get no batch of it if there are fewer samples than ranks.

    Raises:
        ValueError: an argument is out of range.
        TypeError: it is no integer.
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
            raise ValueError(f"batch_size is {self.batch_size}, a batch has at least one sample")
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
