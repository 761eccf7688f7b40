"""Sample indices as numbers from 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast.errors import SampleIndexError

__all__ = ["check_positions"]


def check_positions(indices: ArrayLike, n: int, name: str) -> NDArray[np.int64]:
    """Sample indices as numbers from 0; int64, shape ``(k,)``.

    Parameters:
        indices: integers in one dimension; negative indices count from the end.
        n: number of samples.
        name: name of the dataset or reader in messages.

    Raises:
        SampleIndexError: an index is out of range.
        TypeError: they are not integers.
    """
    array = np.asarray(indices)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"indices are integers in one dimension, not {array.dtype} of shape {array.shape}")
    if array.dtype == np.int64 and array.view(np.uint64).max() < n:  # and none is negative
        return array if isinstance(indices, list) else array.copy()
    outside = np.flatnonzero((array >= n) | (array < -n))
    if outside.size:
        raise SampleIndexError(f"index {array[outside[0]]} out of range: {name} has {n:,} samples")
    array = array.astype(np.int64)
    return np.where(array < 0, array + n, array)
