import numpy as np
from numpy.typing import NDArray

def pack_points(values: NDArray[np.float64]) -> tuple[NDArray[np.float32], int] | None:
    """Round values to float32 if `unpack_points` gives back every one of them.

    Returns:
        The rounded values and the smallest number of decimals, 0 to 4, that all of them come back with; None if there
        is no such number, for example because one is NaN.
    """

def unpack_points(values: NDArray[np.float32], decimals: int) -> NDArray[np.float64]:
    """Round values to as many decimals, 0 to 4: ``np.round(values.astype(np.float64), decimals)``.

    Raises:
        ValueError: `decimals` is out of range.
    """
