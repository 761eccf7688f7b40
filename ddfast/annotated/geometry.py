"""Areas and boxes of many polygons at once."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from ddfast.errors import AnnotationError

__all__ = ["boxes", "corners", "far_ends", "polygon_areas"]

Array: TypeAlias = "np.ndarray[Any, Any]"
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


def polygon_areas(values: Array, offsets: Array) -> Floats:
    """Areas of polygons, as of `Polygon.get_area`.

    Parameters:
        values: x and y in turn of all polygons, one after the other.
        offsets: where each begins in `values`, and the end of the last; one more than there are polygons.

    Returns:
        float64, shape ``(len(offsets) - 1,)``; 0 for an empty polygon.

    Raises:
        AnnotationError: the offsets do not fit to the values, or are odd.
    """
    points, starts, stops = ragged(values, offsets)
    full = np.flatnonzero(stops > starts)
    areas = np.zeros(len(starts))
    if not len(full):
        return areas
    starts, stops = starts[full], stops[full]
    used = points[starts[0] : stops[-1]] - np.repeat(points[starts], stops - starts, axis=0)
    starts, stops = starts - starts[0], stops - starts[0]
    following = np.arange(1, len(used) + 1)
    following[stops - 1] = starts
    cross = used[:, 0] * used[following, 1] - used[following, 0] * used[:, 1]
    areas[full] = np.abs(np.add.reduceat(cross, starts)) / 2
    return areas


def boxes(values: Array, offsets: Array) -> Floats:
    """Upright boxes around lists of points: x, y, width and height.

    Parameters:
        values: x and y in turn of all lists, one after the other.
        offsets: where each begins in `values`, and the end of the last; one more than there are lists.

    Returns:
        float64, shape ``(len(offsets) - 1, 4)``; NaN for an empty list.

    Raises:
        AnnotationError: the offsets do not fit to the values, or are odd.
    """
    points, starts, stops = ragged(values, offsets)
    full = np.flatnonzero(stops > starts)
    found = np.full((len(starts), 4), np.nan)
    if len(full):
        used = points[: stops[-1]]
        low = np.minimum.reduceat(used, starts[full], axis=0)
        found[full, :2] = low
        found[full, 2:] = np.maximum.reduceat(used, starts[full], axis=0) - low
    return found


def far_ends(starts: Floats, lengths: Floats) -> Floats:
    """Right or lower sides of boxes.

    A side that a source had with at most ten decimals is found again exactly, where ``start + length`` is not: it is
    the value with so few decimals that gives the length.

    Parameters:
        starts: left or upper sides, shape ``(n,)``; NaN for no box.
        lengths: widths or heights, likewise.
    """
    sums = starts + lengths
    short = np.round(sums, 10)
    found: Floats = np.where(short - starts == lengths, short, sums)
    return found


def corners(box: Floats, rotation: Floats) -> Floats:
    """Corners of boxes, as of `Bbox.get_points`.

    Parameters:
        box: x, y, width and height, shape ``(n, 4)``.
        rotation: degrees clockwise around the centre; NaN for none.

    Returns:
        x and y in turn, clockwise from the upper left corner of the box before it is turned; shape ``(n, 8)``.
    """
    x, y, width, height = box.T
    right, bottom = far_ends(x, width), far_ends(y, height)
    upright = np.stack([x, y, right, y, right, bottom, x, bottom], axis=1)
    turned = np.nan_to_num(rotation) != 0
    angle, centre = np.radians(rotation)[:, None], (box[:, :2] + box[:, 2:] / 2)[:, :, None]
    sides = np.moveaxis(upright.reshape(-1, 4, 2), 2, 1) - centre
    rotated = np.stack([
        sides[:, 0] * np.cos(angle) - sides[:, 1] * np.sin(angle),
        sides[:, 0] * np.sin(angle) + sides[:, 1] * np.cos(angle),
    ], axis=1) + centre  # fmt: skip
    found: Floats = np.where(turned[:, None], np.moveaxis(rotated, 1, 2).reshape(-1, 8), upright)
    return found


def ragged(values: Array, offsets: Array) -> tuple[Floats, Array, Array]:
    """Points of shape (n, 2), and where each list of them begins and ends.

    Raises:
        AnnotationError: the offsets do not fit to the values, or are odd.
    """
    numbers = np.asarray(values, np.float64)
    bounds = np.asarray(offsets)
    if (
        bounds.ndim != 1
        or not len(bounds)
        or bounds.dtype.kind not in "iu"
        or (bounds % 2).any()
        or int(bounds[0]) < 0
        or int(bounds[-1]) > len(numbers)
        or (bounds[1:] < bounds[:-1]).any()
    ):
        raise AnnotationError(
            f"offsets must be even, ascending, and at most {len(numbers)}, the number of coordinates; they are {bounds}"
        )
    halves = bounds.astype(np.int64) // 2
    return numbers[: len(numbers) // 2 * 2].reshape(-1, 2), halves[:-1], halves[1:]
