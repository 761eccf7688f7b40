"""The samples of a reader in random order."""

from __future__ import annotations

from typing import SupportsIndex

from ddfast.reader.abc import Reader
from ddfast.reader.augment.base import Augment, PositionedAugment
from ddfast.reader.augment.draws import Draws, check_seed
from ddfast.reader.augment.passes import PassOrder, order_at

__all__ = ["Shuffler"]


class Shuffler(PositionedAugment):
    """Yields the samples of a reader in random order, a different one in each pass.

    The order is that of ``random.Random(seed + k * len(reader)).shuffle`` for pass `k`.

    Parameters:
        reader: a reader or an augment.
        seed: a number; None for ``len(reader)``.

    Raises:
        TypeError: the seed is not a number.
    """

    def __init__(self, reader: Reader | Augment, seed: SupportsIndex | float | None = None) -> None:
        super().__init__(reader)
        self._seed = check_seed(len(reader) if seed is None else seed)

    def _pass(self, number: int) -> PassOrder:
        n = len(self)
        return order_at(self._inner._pass(number), Draws(self._seed + number * n).permutation(n))
