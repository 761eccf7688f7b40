"""Columns of annotations that an importer fills one object at a time, without making annotations."""

from __future__ import annotations

from array import array
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder, ragged
from ddfast.annotated.geometry import boxes, polygon_areas

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AnnotationRows"]

# Rows that are kept as Python's objects before they become a chunk of the table.
BLOCK = 1 << 14

BOX = ("x", "y", "width", "height")

Floats = npt.NDArray[np.float64]


class AnnotationRows:
    """Collects the values of annotations. Boxes around points, and areas, are computed for many rows at once.

    Parameters:
        columns: names of the columns to fill beside the item, the type, the label, points, box and area.
    """

    def __init__(self, *columns: str) -> None:
        self._builder = TableBuilder.of_annotations()
        self._columns: dict[str, list[Any]] = {name: [] for name in ("item", "type", "label", *columns)}
        self._points = array("d")
        self._ends = [0]
        self._boxes: list[Any] = []

    def __len__(self) -> int:
        return len(self._builder) + len(self._boxes)

    def add(self, item: int, type: str, points: Any = (), box: Any = None, **values: Any) -> None:
        """Add a row.

        Parameters:
            item: row of the item.
            type: of the annotation, such as ``"polygon"``.
            points: x and y in turn; floats. Empty for none.
            box: x, y, width and height; None for those around the points.
            values: of other columns; missing ones are null.
        """
        values["item"], values["type"] = item, type
        for name, column in self._columns.items():
            column.append(values.get(name))
        self._points.extend(points)
        self._ends.append(len(self._points))
        self._boxes.append((np.nan,) * 4 if box is None else box)
        if len(self._boxes) >= BLOCK:
            self._flush()

    def finish(self) -> pa.Table:
        """The table of all rows."""
        self._flush()
        return self._builder.finish()

    def _flush(self) -> None:
        count = len(self._boxes)
        if not count:
            return
        values, offsets = np.array(self._points, np.float64), np.array(self._ends)
        types = np.array(self._columns["type"], object)
        given = np.array(self._boxes, np.float64).reshape(count, 4)
        box = np.where(np.isnan(given), boxes(values, offsets), given)
        area = _areas(types, values, offsets, box, self._columns.get("area"))
        columns: dict[str, Any] = {**self._columns, "area": _nullable(area)}
        columns |= {name: _nullable(box[:, place]) for place, name in enumerate(BOX)}
        columns["points"] = ragged(values, offsets, np.diff(offsets) == 0)
        self._builder.add(count, **columns)
        for column in self._columns.values():
            column.clear()
        self._points, self._ends, self._boxes = array("d"), [0], []


def _areas(
    types: npt.NDArray[Any], values: Floats, offsets: Any, box: Floats, given: list[float | None] | None
) -> Floats:
    """The area of each row: that which is given, or that of its shape; NaN for what has none."""
    areas = np.array(given, np.float64) if given is not None else np.full(len(types), np.nan)
    product = box[:, 2] * box[:, 3]
    own = {"bbox": product, "ellipse": product * pi / 4, "polygon": polygon_areas(values, offsets)}
    for name, found in own.items():
        areas = np.where((types == name) & np.isnan(areas), found, areas)
    return areas


def _nullable(values: Floats) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))
