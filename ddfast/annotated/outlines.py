"""Objects of several parts or with holes as one polygon each, and polygons cut at the sides of an image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.contours import mask_to_polygons

__all__ = ["cut", "outline_of_mask", "outline_of_parts"]

Points = npt.NDArray[np.float64]


def outline_of_mask(mask: masks.Rle) -> Points:
    """One polygon around all parts of a mask and its holes; x and y in turn, empty for an empty mask.

    Raises:
        AnnotationError: the mask is damaged.
    """
    rings = [points_of(ring) for part in mask_to_polygons(mask) for ring in part]
    return joined(rings).reshape(-1)


def outline_of_parts(parts: Sequence[Any], height: int, width: int) -> Points:
    """One polygon with the area of several; x and y in turn.

    Parameters:
        parts: polygons, x and y in turn. If some overlap, the outline goes along the sides of pixels.
        height: of the image.
        width: of the image.

    Raises:
        AnnotationError: parts overlap, and one makes no sense.
    """
    rings = [points_of(part) for part in parts]
    if len(rings) > 1 and _overlap(rings, height, width):
        return outline_of_mask(masks.from_polygons(parts, height, width))
    return joined([ring if signed_area(ring) >= 0 else ring[::-1] for ring in rings]).reshape(-1)


def points_of(values: Any) -> Points:
    """Points of shape (n, 2) from x and y in turn."""
    return np.asarray(values, np.float64).reshape(-1, 2)


def signed_area(ring: Points) -> float:
    """The area of a polygon, negative if it goes anticlockwise as it is seen."""
    moved = ring - ring[0]
    following = np.roll(moved, -1, axis=0)
    return float((moved[:, 0] * following[:, 1] - following[:, 0] * moved[:, 1]).sum() / 2)


def joined(rings: Iterable[Points]) -> Points:
    """Polygons as one: from each to the next goes a bridge, there and back, so that it has no area.

    Each ring is joined where it is nearest to those before it. The result has the area of the rings under the rule of
    even and odd crossings, and, where outlines and holes go around in opposite directions, under that of windings.
    """
    outline = np.empty((0, 2))
    for ring in rings:
        if not len(outline):
            outline = ring
            continue
        near, start = nearest(outline, ring)
        turned = np.concatenate([ring[start:], ring[: start + 1]])
        outline = np.concatenate([outline[: near + 1], turned, outline[near:]])
    return outline


def nearest(first: Points, second: Points) -> tuple[int, int]:
    """The points of two rings that are nearest to each other."""
    best = (np.inf, 0, 0)
    for begin in range(0, len(first), 1024):  # so that memory does not grow with the product of their lengths
        own = first[begin : begin + 1024]
        between = (own[:, :1] - second[:, 0]) ** 2 + (own[:, 1:] - second[:, 1]) ** 2
        place = int(between.argmin())
        if between.flat[place] < best[0]:
            best = (float(between.flat[place]), begin + place // len(second), place % len(second))
    return best[1], best[2]


def _overlap(rings: Sequence[Points], height: int, width: int) -> bool:
    """Whether parts have pixels in common."""
    low = np.array([ring.min(axis=0) for ring in rings])
    high = np.array([ring.max(axis=0) for ring in rings])
    apart = ((low[:, None] >= high[None]) | (low[None] >= high[:, None])).any(axis=2)
    if (apart | np.eye(len(rings), dtype=bool)).all():
        return False
    each = [masks.from_polygons([ring.reshape(-1)], height, width) for ring in rings]
    native = masks.pycocotools()  # masks that were just made need no check
    areas = native.area([*each, native.merge(each)])
    return bool(areas[-1] < areas[:-1].sum())


def cut(points: Any, height: float, width: float) -> Points:
    """The part of a polygon that is inside of an image; x and y in turn, empty if there is none."""
    ring = points_of(points)
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        if not len(ring):
            break
        ring = _cut_at(ring, axis, limit, sign)
    return ring.reshape(-1)


def _cut_at(ring: Points, axis: int, limit: float, sign: int) -> Points:
    """The part of a polygon on one side of a line."""
    inside = (ring[:, axis] - limit) * sign >= 0
    if inside.all():
        return ring
    found = []
    for place, point in enumerate(ring):
        before = ring[place - 1]
        if inside[place] != inside[place - 1]:
            share = (limit - before[axis]) / (point[axis] - before[axis])
            crossing = before + share * (point - before)
            crossing[axis] = limit
            found.append(crossing)
        if inside[place]:
            found.append(point)
    return np.array(found).reshape(-1, 2)
