from typing import Literal

import numpy as np
from numpy.typing import NDArray

class Order:
    """Which sample comes at which position of an epoch. Unless it is a list, it takes no memory for any `n`.

    Parameters:
        n: number of samples.
        shuffle: False for the order of the file, True for a permutation, ``"block"`` for blocks of consecutive samples
            in random order, whose samples are then shuffled within windows of several blocks.
        seed: two orders with equal arguments are equal, on any machine.
        epoch: pass over the dataset, from 0.
        block: samples of a block.
        window: blocks of a window.
    """

    def __init__(
        self,
        n: int,
        shuffle: bool | Literal["block"] = False,
        seed: int = 0,
        epoch: int = 0,
        block: int = 1,
        window: int = 1,
    ) -> None: ...
    @staticmethod
    def listed(indices: NDArray[np.int64]) -> Order:
        """The order of a list of indices, shape ``(n,)``, contiguous. The array is kept, not copied."""
    def __len__(self) -> int: ...
    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        """Sample indices at positions ``[start, stop)``; shape ``(stop - start,)``.

        Raises:
            IndexError: a position is outside ``[0, n)``.
        """
