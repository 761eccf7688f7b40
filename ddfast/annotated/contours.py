"""Masks to polygons, exactly: along the sides of pixels, with holes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ddfast.annotated import masks

__all__ = ["bridged", "mask_to_polygons"]

Array: TypeAlias = "np.ndarray[Any, Any]"


class Sides(NamedTuple):
    """Straight lines between mask and background, with the mask on the right, walked from `start` to `stop`.

    Attributes:
        line: the row or column between two pixels that each lies on.
        start: where it begins on that line.
        stop: where it ends.
    """

    line: Array
    start: Array
    stop: Array


def mask_to_polygons(mask: masks.Rle | Array) -> list[list[list[float]]]:
    """The outlines of a mask.

    The polygons go along the sides of pixels: rasterised as pycocotools does, an outline without its holes gives the
    mask back. Pixels that only touch at a corner belong to different parts.

    Parameters:
        mask: run lengths as in `ddfast.annotated.masks`, or an array of shape (height, width).

    Returns:
        For each part the polygons ``[outline, hole, hole, ...]``, each with x and y in turn.

    Raises:
        AnnotationError: the mask is damaged, or the array has other dimensions.
    """
    pixels, (left, top, _, _) = masks.crop(mask if isinstance(mask, Mapping) else masks.encode(mask))
    if not pixels.size:
        return []
    rows = sides(np.diff(pixels.astype(np.int8), axis=0, prepend=0, append=0))
    columns = sides(np.diff(pixels.astype(np.int8), axis=1, prepend=0, append=0).T)
    columns = Sides(columns.line, columns.stop, columns.start)  # left sides are walked up, right sides down
    loops, loop_of_column = walk(rows, columns)
    offset = np.array([left, top])
    outlines: dict[int, list[list[float]]] = {}
    holes = []
    for number, loop in enumerate(loops):
        if turns_right(loop):
            outlines[number] = [(loop + offset).ravel().astype(float).tolist()]
        else:
            holes.append(number)
    owner = {number: number for number in outlines}
    finder = LeftSides(pixels, columns, loop_of_column)
    for number in sorted(holes, key=lambda number: tuple(first_corner(loops[number]))):
        owner[number] = owner[finder.loop_left_of(first_corner(loops[number]))]
        outlines[owner[number]].append((loops[number] + offset).ravel().astype(float).tolist())
    return list(outlines.values())


def sides(steps: Array) -> Sides:
    """Lines of equal steps: 1 from background to mask, walked forwards, -1 walked backwards."""
    changes = np.diff(steps, axis=1, prepend=0, append=0) != 0
    before, after = np.pad(steps, ((0, 0), (1, 0))), np.pad(steps, ((0, 0), (0, 1)))
    line, low = np.nonzero(changes & (after != 0))
    high = np.nonzero(changes & (before != 0))[1]
    forwards = steps[line, low] == 1
    return Sides(line, np.where(forwards, low, high), np.where(forwards, high, low))


def walk(rows: Sides, columns: Sides) -> tuple[list[Array], Array]:
    """Closed loops of alternating lines, and the number of the loop of each column.

    Where two parts touch at a corner, a loop turns right and so stays at its part.
    """
    wide = int(max(columns.line.max(), rows.start.max(), rows.stop.max())) + 1
    row_start, row_stop = rows.line * wide + rows.start, rows.line * wide + rows.stop
    column_start, column_stop = columns.start * wide + columns.line, columns.stop * wide + columns.line
    east, south = rows.stop > rows.start, columns.stop > columns.start
    next_column = matched(row_stop * 2 + east, column_start * 2 + south)
    next_row = matched(column_stop * 2 + ~south, row_start * 2 + east)
    follows = next_row[next_column].tolist()
    column_of = next_column.tolist()
    loop_of_column = np.empty(len(columns.line), np.int64)
    seen = [False] * len(follows)
    loops: list[Array] = []
    for first in range(len(follows)):
        if seen[first]:
            continue
        path, at = [], first
        while not seen[at]:
            seen[at] = True
            path.append(at)
            at = follows[at]
        loop_of_column[[column_of[at] for at in path]] = len(loops)
        y = rows.line[path]
        corners = np.stack([rows.start[path], y, rows.stop[path], y], axis=1)
        loops.append(corners.reshape(-1, 2))
    return loops, loop_of_column


def matched(ends: Array, starts: Array) -> Array:
    """For each end the position of the start with the same number."""
    found = np.empty(len(ends), np.int64)
    found[np.argsort(ends, kind="stable")] = np.argsort(starts, kind="stable")
    return found


def turns_right(loop: Array) -> bool:
    """Whether a loop goes around its inside clockwise, as outlines do; holes go the other way."""
    x, y = loop[:, 0], loop[:, 1]
    return bool((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0)


def first_corner(loop: Array) -> tuple[int, int]:
    """The uppermost of the leftmost corners."""
    x, y = min(map(tuple, loop.tolist()))
    return x, y


class LeftSides:
    """Finds the loop that the left end of a row of pixels lies on."""

    def __init__(self, pixels: Array, columns: Sides, loops: Array) -> None:
        self.pixels = pixels
        self.high = pixels.shape[0] + 1
        left = np.flatnonzero(columns.stop < columns.start)
        upper = columns.line[left] * self.high + columns.stop[left]
        order = np.argsort(upper)
        self.upper, self.loops = upper[order], loops[left[order]]

    def loop_left_of(self, corner: tuple[int, int]) -> int:
        """The loop on the left of a hole whose first corner this is."""
        x, y = corner
        background = np.flatnonzero(~self.pixels[y, :x])
        begin = int(background[-1]) + 1 if len(background) else 0
        return int(self.loops[np.searchsorted(self.upper, begin * self.high + y, side="right") - 1])


def bridged(rings: list[list[float]]) -> list[float]:
    """An outline and its holes as one polygon: a line leads to each hole and back, which adds no pixel.

    Parameters:
        rings: ``[outline, hole, hole, ...]``, each with x and y in turn.
    """
    outline, *holes = rings
    joined = list(outline)
    for hole in holes:
        joined += [*outline[:2], *hole, *hole[:2]]
    return joined + list(outline[:2]) if holes else joined
