"""Collects annotations of a file as columns."""

from __future__ import annotations

from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.builder import TableBuilder, ragged
from ddfast.annotated.geometry import boxes, polygon_areas

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.formats.cvat.shapes import CvatShape

CHUNK = 1 << 15
"""Annotations that are turned into arrays at a time."""

NAMES = ("item", "label", "group", "z_order", "rotation", "crowd", "frame", "track", "source", "attributes")
SHAPE = ("type", "box", "area", "points", "visibility", "mask", "text")


class ShapeRows:
    """The annotations of a file."""

    def __init__(self) -> None:
        self._builder = TableBuilder.of_annotations()
        self._rows: list[tuple[Any, ...]] = []

    def add(self, shape: CvatShape, *values: Any) -> None:
        """Add an annotation; ``values`` are those of the columns `NAMES`."""
        self._rows.append((*shape[: len(SHAPE)], *values))
        if len(self._rows) >= CHUNK:
            self._flush()

    def finish(self) -> pa.Table:
        """The table of all annotations."""
        self._flush()
        return self._builder.finish()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        columns: dict[str, Any] = dict(zip((*SHAPE, *NAMES), map(list, zip(*rows, strict=True)), strict=True))
        given = columns.pop("box")
        box = np.array([one or (np.nan,) * 4 for one in given], np.float64)
        area = np.array([np.nan if one is None else one for one in columns.pop("area")])
        points, offsets = _coordinates(columns["points"])
        around = boxes(points, offsets)
        box = np.where(np.isnan(box), around, box)
        is_polygon = np.array([kind == "polygon" for kind in columns["type"]])
        area = np.where(is_polygon, polygon_areas(points, offsets), area)
        missing = np.array([one is None for one in columns["points"]])
        columns["points"] = ragged(points, offsets, missing)
        columns["visibility"] = ragged(
            *_flat(columns["visibility"], np.int8), np.array([one is None for one in columns["visibility"]])
        )
        columns |= {name: _nullable(box[:, at]) for at, name in enumerate(("x", "y", "width", "height"))}
        self._builder.add(len(rows), area=_nullable(area), **columns)


def _coordinates(lists: list[Any]) -> tuple[Any, Any]:
    """All coordinates, of which those of some shapes are texts, and where each shape begins."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = [one for one in lists if isinstance(one, str)]
    if not texts:
        return _flat(lists, np.float64)
    others, _ = _flat([None if isinstance(one, str) else one for one in lists], np.float64)
    joined = pa.array([";".join(texts).replace(";", ",")], pa.large_string())
    numbers = pc.split_pattern(joined, ",").values.cast(pa.float64()).to_numpy()
    counts = [
        2 * one.count(";") + 2 if isinstance(one, str) else 0 if one is None else len(one) for one in lists
    ]
    offsets = np.array([0, *accumulate(counts)], np.int64)
    is_text = np.repeat([isinstance(one, str) for one in lists], counts)
    values = np.empty(offsets[-1], np.float64)
    values[is_text], values[~is_text] = numbers, others
    return values, offsets


def _flat(lists: list[Any], kind: Any) -> tuple[Any, Any]:
    """All values of lists, and where each list begins."""
    offsets = np.array([0, *accumulate(0 if one is None else len(one) for one in lists)], np.int64)
    values = np.fromiter(chain.from_iterable(filter(None, lists)), kind, offsets[-1])
    return values, offsets


def _nullable(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))
