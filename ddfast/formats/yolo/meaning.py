"""What the rows of label files mean: boxes, polygons, rotated boxes, or boxes with points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import ragged
from ddfast.annotated.geometry import boxes, polygon_areas
from ddfast.formats.yolo.rows import Floats, Integers, Rows

__all__ = ["Layout", "Scaled", "TypedRows"]

UNKNOWN, BOX, POLYGON, CORNERS, POSE = range(-1, 4)

BOX_VALUES = 5
POLYGON_VALUES = 7
CORNER_VALUES = 9

DECIMALS = 9
"""Of pixels: what is behind them is the noise of computing with relative numbers."""

TOLERANCE = 0.1
"""Pixels that the corners of a rotated box may be off: files often have few digits."""

SAME = 1e-6
"""Pixels by which two boxes may differ that are the same."""


class TypedRows(NamedTuple):
    """Some rows as annotations of one type.

    Attributes:
        rows: numbers of the rows.
        columns: of the table of annotations.
    """

    rows: Integers
    columns: dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """What rows can be.

    Attributes:
        task: ``"detect"``, ``"segment"``, ``"obb"``, ``"pose"``, or ``"auto"``: boxes and polygons.
        points: of each object, for poses.
        point_values: numbers of each point: x and y, or also the visibility.
    """

    task: str = "auto"
    points: int = 0
    point_values: int = 3

    @property
    def pose_values(self) -> int:
        """Numbers in a row with points."""
        return BOX_VALUES + self.points * self.point_values

    def kinds(self, counts: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """What rows with so many numbers are, and whether a score is behind them."""
        kinds = np.full(len(counts), UNKNOWN, np.int64)
        scored = np.zeros(len(counts), bool)
        if self.task in ("auto", "segment"):
            kinds[counts >= POLYGON_VALUES] = POLYGON
            scored = (counts >= POLYGON_VALUES) & (counts % 2 == 0)
        pairs = [(BOX, BOX_VALUES)]
        if self.task == "obb":
            pairs.append((CORNERS, CORNER_VALUES))
        if self.task == "pose":
            pairs.append((POSE, self.pose_values))
        for kind, number in pairs:
            kinds[(counts == number) | (counts == number + 1)] = kind
            scored |= counts == number + 1
        return kinds, scored

    def expected(self) -> str:
        """What rows must have, as part of a message."""
        return {
            "auto": "a box has 5, a polygon 7 or more",
            "detect": "a box has 5: its class, x and y of its centre, its width and height",
            "segment": "a polygon has 7 or more: its class, and x and y of each point",
            "obb": "a rotated box has 9: its class, and x and y of its corners",
            "pose": f"a box with {self.points} points has {self.pose_values}",
        }[self.task]


@dataclass(frozen=True)
class Scaled:
    """Rows and the sizes of their images.

    Attributes:
        rows: whose values are relative.
        kinds: of each row.
        scored: whether the last number of a row is a score.
        labels: of each row.
        widths, heights: of the image of each row, in pixels.
        layout: of the dataset.
    """

    rows: Rows
    kinds: Integers
    scored: npt.NDArray[np.bool_]
    labels: Integers
    widths: Floats
    heights: Floats
    layout: Layout

    def parts(self) -> list[TypedRows]:
        """The rows as annotations, by type."""
        makers = (
            (BOX, self._boxes),
            (POLYGON, self._polygons),
            (CORNERS, self._corners),
            (POSE, self._poses),
        )
        found: list[TypedRows] = []
        for kind, make in makers:
            rows = np.flatnonzero(self.kinds == kind)
            if len(rows):
                found += make(rows)
        return found

    def _common(self, rows: Integers) -> dict[str, Any]:
        import pyarrow as pa

        scored = self.scored[rows]
        columns: dict[str, Any] = {"label": self.labels[rows].astype(np.int32)}
        if scored.any():
            columns["score"] = pa.array(self.rows.column(rows, -1), mask=~scored)
        return columns

    def _box(self, rows: Integers) -> Floats:
        """x, y, width and height in pixels."""
        relative = self.rows.block(rows, 1, 4)
        size = np.stack([self.widths[rows], self.heights[rows]], axis=1)
        corner = (relative[:, :2] - relative[:, 2:] / 2) * size
        return np.round(np.concatenate([corner, relative[:, 2:] * size], axis=1), DECIMALS)

    def _boxes(self, rows: Integers) -> list[TypedRows]:
        return [TypedRows(rows, self._common(rows) | box_columns(self._box(rows)))]

    def _polygons(self, rows: Integers) -> list[TypedRows]:
        counts = self.rows.counts[rows] - 1 - self.scored[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        places = np.arange(offsets[-1]) + np.repeat(self.rows.starts[rows] + 1 - offsets[:-1], counts)
        points = self.rows.values[places]
        points[0::2] *= np.repeat(self.widths[rows], counts // 2)
        points[1::2] *= np.repeat(self.heights[rows], counts // 2)
        return [TypedRows(rows, self._common(rows) | polygon_columns(np.round(points, DECIMALS), offsets))]

    def _corners(self, rows: Integers) -> list[TypedRows]:
        """Rotated boxes; corners of no rectangle are polygons."""
        size = np.stack([self.widths[rows], self.heights[rows]], axis=1)[:, None]
        corners = np.round(self.rows.block(rows, 1, 8).reshape(-1, 4, 2) * size, DECIMALS)
        box, rotation, error = rectangles(corners)
        exact = error < TOLERANCE
        found = []
        if exact.any():
            found.append(
                TypedRows(rows[exact], self._common(rows[exact]) | rotated(box[exact], rotation[exact]))
            )
        if not exact.all():
            others = corners[~exact].reshape(-1)
            columns = polygon_columns(others, np.arange(0, len(others) + 1, 8))
            found.append(TypedRows(rows[~exact], self._common(rows[~exact]) | columns))
        return found

    def _poses(self, rows: Integers) -> list[TypedRows]:
        """Points, and the box that belongs to them, if it does not merely enclose them; a box if all are absent."""
        count, each = self.layout.points, self.layout.point_values
        values = self.rows.block(rows, BOX_VALUES, count * each).reshape(-1, count, each)
        points, visibility = values[:, :, :2], visibilities(values)
        size = np.stack([self.widths[rows], self.heights[rows]], axis=1)[:, None]
        points = np.round(points * size, DECIMALS)
        box = self._box(rows)
        present = visibility > 0
        ends = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
        around = boxes(points[present].reshape(-1), ends * 2)
        own = ~np.isclose(box, around, rtol=0, atol=SAME).all(axis=1)
        shown = present.any(axis=1)
        groups = _masked(self.rows.lines[rows], ~(own & shown))
        found = []
        if own.any():
            boxed = self._common(rows[own]) | box_columns(box[own]) | {"group": groups.filter(own)}
            found.append(TypedRows(rows[own], boxed))
        if shown.any():
            starts = np.arange(shown.sum() + 1) * count
            columns = self._common(rows[shown]) | {
                "type": "points",
                "points": ragged(points[shown].reshape(-1), starts * 2),
                "visibility": ragged(visibility[shown].reshape(-1), starts),
                "group": groups.filter(shown),
            }
            names = ("x", "y", "width", "height")
            columns.update(zip(names, np.ascontiguousarray(box[shown].T), strict=True))
            found.append(TypedRows(rows[shown], columns))
        return found


def _masked(values: npt.NDArray[Any], mask: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, mask=mask)


def box_columns(box: Floats) -> dict[str, Any]:
    """Columns of boxes from x, y, width and height."""
    names = dict(zip(("x", "y", "width", "height"), np.ascontiguousarray(box.T), strict=True))
    return {"type": "bbox", **names, "area": box[:, 2] * box[:, 3]}


def rotated(box: Floats, rotation: Floats) -> dict[str, Any]:
    """Columns of rotated boxes; those that are upright have no rotation."""
    upright = np.equal(rotation, 0)
    return box_columns(box) | {"rotation": _masked(rotation, upright)}


def polygon_columns(points: Floats, offsets: Integers) -> dict[str, Any]:
    """Columns of polygons from x and y in turn, and where each begins."""
    around = box_columns(boxes(points, offsets))
    return around | {
        "type": "polygon",
        "points": ragged(points, offsets),
        "area": polygon_areas(points, offsets),
    }


def visibilities(values: Floats) -> npt.NDArray[np.int8]:
    """0 for absent points, 1 for hidden and 2 for visible ones, from x, y and perhaps the visibility of points."""
    if values.shape[2] == 2:
        absent = (values < 0).any(axis=2) | (values == 0).all(axis=2)
        return np.where(absent, 0, 2).astype(np.int8)
    given = values[:, :, 2]
    return np.where(given <= 0, 0, np.where(given == 1, 1, 2)).astype(np.int8)


def rectangles(corners: Floats) -> tuple[Floats, Floats, Floats]:
    """The rectangles that four corners each are nearest to.

    Parameters:
        corners: one after the other around the rectangle; shape ``(n, 4, 2)``.

    Returns:
        x, y, width and height before the rotation, shape ``(n, 4)``; degrees clockwise, from 0 to 360; and how many
        pixels the corners are off.
    """
    along, down = sides(corners)
    backwards = along[:, 0] * down[:, 1] - along[:, 1] * down[:, 0] < 0
    corners = np.where(backwards[:, None, None], corners[:, [0, 3, 2, 1]], corners)
    along, down = sides(corners)
    centre = corners.mean(axis=1)
    size = np.stack([np.hypot(*along.T), np.hypot(*down.T)], axis=1)
    angle = np.arctan2(along[:, 1], along[:, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    half = size / 2
    wide = np.stack([cos, sin], axis=1) * half[:, :1]
    high = np.stack([-sin, cos], axis=1) * half[:, 1:]
    exact = centre[:, None] + np.stack([-wide - high, wide - high, wide + high, high - wide], axis=1)
    error = np.abs(exact - corners).max(axis=(1, 2))
    box = np.concatenate([centre - half, size], axis=1)
    rotation = np.round(np.degrees(angle), DECIMALS).astype(np.float64) % 360
    return np.round(box, DECIMALS), rotation, error


def sides(corners: Floats) -> tuple[Floats, Floats]:
    """The mean of the first and third side of four corners, and of the second and fourth, as vectors."""
    along = (corners[:, 1] - corners[:, 0] + corners[:, 2] - corners[:, 3]) / 2
    down = (corners[:, 3] - corners[:, 0] + corners[:, 2] - corners[:, 1]) / 2
    return along, down
