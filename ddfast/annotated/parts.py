"""Polygons of several parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.gather import spread
from ddfast.annotated.tables import lists

if TYPE_CHECKING:
    import pyarrow as pa


def part_starts(
    annotations: pa.Table, offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the parts of shapes start among the values of all points, and the first part of each row.

    Parameters:
        annotations: a table with the columns ``points`` and ``parts``.
        offsets: where the points of each row start, and the end of the last.
    """
    counts = (offsets[1:] > offsets[:-1]).astype(np.int64)
    relative, part_offsets = lists(annotations, "parts")
    several = part_offsets[1:] - part_offsets[:-1]
    counts = np.where(several > 0, several, counts)
    firsts = np.concatenate([[0], np.cumsum(counts)])
    starts = np.repeat(offsets[:-1], counts)
    rows = np.flatnonzero(several > 0)
    starts[spread(firsts[rows], several[rows])] += relative.astype(np.int64)
    return starts, firsts
