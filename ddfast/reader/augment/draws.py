"""The random numbers of `random.Random`, drawn in bulk."""

from __future__ import annotations

import operator
from random import Random
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ddfast._native.shuffle import below, shuffle

__all__ = ["Draws", "Seed", "check_seed"]

Seed = int | float

WORDS = 1 << 16  # drawn at once at most
LIMIT = 1 << 32  # from this bound on, Python uses more than one word per number


def check_seed(seed: SupportsIndex | float) -> Seed:
    """A seed to which the number of a pass can be added.

    Raises:
        TypeError: it is not a number.
    """
    if isinstance(seed, float):
        return seed
    try:
        return operator.index(seed)
    except TypeError:
        raise TypeError(f"seed is {seed!r}, not a number: the number of the pass is added to it") from None


class Draws:
    """The results of ``shuffle`` and ``randrange`` of ``random.Random(seed)``, in the same order.

    Python keeps the generator and both methods unchanged, so that a seed keeps its meaning.

    Parameters:
        seed: as that of `random.Random`.
    """

    def __init__(self, seed: Seed) -> None:
        self._random = Random(seed)
        self._words = np.empty(0, np.uint32)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """The result of ``shuffle`` for ``list(range(n))``; int64, shape ``(n,)``.

        Raises:
            ValueError: `n` is 2**32 or more.
        """
        _check_limit(n)
        items = np.arange(n, dtype=np.int64)
        left, used = shuffle(self._words, items, n)
        while left > 1:
            self._refill(used, left)
            left, used = shuffle(self._words, items, left)
        self._words = self._words[used:]
        return items

    def below(self, bound: int, count: int) -> NDArray[np.uint32]:
        """The results of `count` calls of ``randrange(bound)``; uint32, shape ``(count,)``.

        Raises:
            ValueError: `bound` is 2**32 or more, or 0.
        """
        _check_limit(bound)
        numbers = np.empty(count, np.uint32)
        done, used = below(self._words, bound, numbers)
        while done < count:
            self._refill(used, count - done)
            more, used = below(self._words, bound, numbers[done:])
            done += more
        self._words = self._words[used:]
        return numbers

    def _refill(self, used: int, wanted: int) -> None:
        """Replace the words, all of which are used, by new ones."""
        assert used == len(self._words)
        count = min(WORDS, wanted)
        self._words = np.frombuffer(
            self._random.getrandbits(32 * count).to_bytes(4 * count, "little"), "<u4"
        ).astype(np.uint32, copy=False)


def _check_limit(n: int) -> None:
    if n >= LIMIT:
        raise ValueError(f"{n:,} samples cannot be shuffled: the limit is 2**32 - 1")
