"""Masks as CVAT stores them: run lengths along the rows of a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ddfast.annotated import masks
from ddfast.annotated.checks import shown
from ddfast.annotated.run_lengths import checked_size, run_lengths
from ddfast.errors import AnnotationError

__all__ = ["from_cvat", "to_cvat"]


def from_cvat(
    counts: Sequence[int], left: int, top: int, right: int, bottom: int, size: Sequence[int]
) -> dict[str, Any]:
    """The mask of CVAT's run lengths.

    Parameters:
        counts: run lengths along the rows of the box, background first.
        left, top, right, bottom: first and last column and row of the box.
        size: height and width of the image.

    Raises:
        AnnotationError: the run lengths do not add up, or the box is not within the image.
    """
    height, width = checked_size(size)
    corners = (left, top, right, bottom)
    if not all(float(corner).is_integer() for corner in corners) or not (
        0 <= left <= right < width and 0 <= top <= bottom < height
    ):
        raise AnnotationError(
            f"a mask has the box {shown(corners)} (left, top, right, bottom) in an image of {height} x {width}"
        )
    columns, rows = int(right - left) + 1, int(bottom - top) + 1
    runs = run_lengths(counts, f"a mask in a box of {rows} x {columns} pixels", rows * columns)
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(rows, columns)
    return masks.from_crop(pixels, int(left), int(top), height, width)


def to_cvat(rle: masks.Rle) -> tuple[list[int], int, int, int, int]:
    """CVAT's run lengths of a mask, and the box: left, top, right, bottom.

    Raises:
        AnnotationError: the mask is damaged, or has no pixels.
    """
    pixels, (left, top, columns, rows) = masks.crop(rle)
    if not pixels.size:
        raise AnnotationError("a mask without pixels cannot be stored in CVAT's form")
    flat = pixels.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(changes, prepend=0, append=len(flat)).tolist()
    return ([0, *counts] if flat[0] else counts), left, top, left + columns - 1, top + rows - 1
