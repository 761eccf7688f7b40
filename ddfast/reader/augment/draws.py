"""The random numbers of `random.Random`, many at a time."""

from __future__ import annotations

import operator
from random import Random
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ddfast._native.shuffle import below, shuffle

__all__ = ["Draws", "Seed", "check_seed"]

Seed = int | float

WORDS = 1 << 16  # made at once at most
LIMIT = 1 << 32  # from here on Python takes more than one word for a number


def check_seed(seed: SupportsIndex | float) -> Seed:
    """A seed that passes can be counted on from.

    Raises:
        TypeError: it is no number.
    """
    if isinstance(seed, float):
        return seed
    try:
        return operator.index(seed)
    except TypeError:
        raise TypeError(f"seed is {seed!r}, not a number: the number of the pass is added to it") from None


class Draws:
    """What ``random.Random(seed)`` draws with ``shuffle`` and ``randrange``, in the same order.

    Python keeps the generator's words and both methods as they are so that seeds go on meaning the same.

    Parameters:
        seed: as that of `random.Random`.
    """

    def __init__(self, seed: Seed) -> None:
        self._random = Random(seed)
        self._words = np.empty(0, np.uint32)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """What ``shuffle`` makes of ``list(range(n))``; shape ``(n,)``.

        Raises:
            ValueError: there are 2**32 samples or more.
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
        """What `count` calls of ``randrange(bound)`` give; shape ``(count,)``.

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
        """Take away the words that are used, which are all there are, and make new ones."""
        assert used == len(self._words)
        count = min(WORDS, wanted)
        self._words = np.frombuffer(
            self._random.getrandbits(32 * count).to_bytes(4 * count, "little"), "<u4"
        ).astype(np.uint32, copy=False)


def _check_limit(n: int) -> None:
    if n >= LIMIT:
        raise ValueError(f"{n:,} samples cannot be shuffled at once, only fewer than 2**32")
