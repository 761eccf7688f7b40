from typing import Any

import numpy as np
from numpy.typing import NDArray

def below(words: NDArray[np.uint32], bound: int, out: NDArray[np.uint32]) -> tuple[int, int]:
    """Draw numbers below `bound`, as ``random.Random.randrange`` does.

    Parameters:
        words: what the generator makes, shape ``(m,)``.
        bound: 1 or more, below 2**32.
        out: takes the numbers, shape ``(count,)``; fewer if the words run out.

    Returns:
        How many numbers were drawn, and how many words that took.
    """

def shuffle(words: NDArray[np.uint32], items: NDArray[np.int64], left: int) -> tuple[int, int]:
    """Shuffle in place, as ``random.Random.shuffle`` does, while there are words left.

    Parameters:
        words: what the generator makes, shape ``(m,)``.
        items: shape ``(n,)``, below 2**32 of them.
        left: the first items that are still to be shuffled: `n`, and then what the last call returned.

    Returns:
        How many items are left to be shuffled, at most 1 at the end, and how many words were used.
    """

def exchange(
    buffer: NDArray[np.int64], incoming: NDArray[np.int64], draws: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """For each draw, put the next incoming item into that place of the buffer and take out what was there.

    Returns:
        What was taken out, in order; shape ``(len(draws),)``.

    Raises:
        KernelError: the buffer has no such place (code ``E_INDEX``); `item` counts the draws.
    """

def exchange_objects(buffer: list[Any], items: list[Any], draws: NDArray[np.uint32]) -> None:
    """The same with Python objects: what was taken out takes the place of the item that came in.

    Raises:
        IndexError: the buffer has no such place.
    """
