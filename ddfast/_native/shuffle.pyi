from typing import Any

import numpy as np
from numpy.typing import NDArray

def below(words: NDArray[np.uint32], bound: int, out: NDArray[np.uint32]) -> tuple[int, int]:
    """Draw numbers below `bound`, as ``random.Random.randrange`` does.

    Parameters:
        words: outputs of the generator, shape ``(m,)``.
        bound: 1 or more, below 2**32.
        out: receives the numbers, shape ``(count,)``; fewer if there are not enough words.

    Returns:
        Number of drawn numbers, and number of words used.
    """

def shuffle(words: NDArray[np.uint32], items: NDArray[np.int64], left: int) -> tuple[int, int]:
    """Shuffle in place, as ``random.Random.shuffle`` does, as far as the words suffice.

    Parameters:
        words: outputs of the generator, shape ``(m,)``.
        items: shape ``(n,)``, below 2**32 of them.
        left: number of first items that are still to be shuffled: `n`, then the result of the previous call.

    Returns:
        Number of items that are left to be shuffled, at most 1 at the end, and number of words used.
    """

def exchange(
    buffer: NDArray[np.int64], incoming: NDArray[np.int64], draws: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """For each draw, replace the item at that place of the buffer by the next incoming item.

    Returns:
        The replaced items, in order; shape ``(len(draws),)``.

    Raises:
        KernelError: a draw is not a place of the buffer (code ``E_INDEX``); `item` is the number of the draw.
    """

def exchange_objects(buffer: list[Any], items: list[Any], draws: NDArray[np.uint32]) -> None:
    """The same with Python objects: in `items`, each replaced item takes the place of the one that replaced it.

    Raises:
        IndexError: a draw is not a place of the buffer.
    """
