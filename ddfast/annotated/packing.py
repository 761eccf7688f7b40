"""Coordinates in half the bytes: float32 values that give back the float64 values of the source exactly.

Files of annotations have coordinates with few decimals. The float32 next to such a decimal number identifies it, so
rounding to the number of decimals gives the float64 that the text was read as. Columns that contain any other value
stay float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.schema import DECIMALS
from ddfast.tools.points import unpack_points

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]


def decimals_of(field: pa.Field) -> int | None:
    """Number of decimals of a packed column, or None for a column of float64."""
    metadata = field.metadata or {}
    return int(metadata[DECIMALS]) if DECIMALS in metadata else None


def float_values(column: pa.Array, field: pa.Field) -> Floats:
    """Values of a column of numbers, or of the lists in it, as float64; NaN where a number is null.

    Parameters:
        column: float32 or float64, or lists of them, in one chunk.
        field: its field, which says whether it is packed.
    """
    import pyarrow as pa

    flat = column.flatten() if isinstance(column, pa.ListArray) else column
    values = flat.to_numpy(zero_copy_only=False)
    decimals = decimals_of(field)
    return values.astype(np.float64, copy=False) if decimals is None else unpack_points(values, decimals)
