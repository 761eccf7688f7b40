"""Annotations of Datumaro's files as columns of the table of annotations."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ddfast.annotated import masks
from ddfast.annotated.builder import ragged
from ddfast.annotated.geometry import boxes, polygon_areas
from ddfast.annotated.json_values import strings
from ddfast.annotated.schema import CROWD
from ddfast.formats.datumaro.checks import CheckedChunk, Floats, Rows, text_of
from ddfast.formats.datumaro.owners import NEXT_ITEM
from ddfast.tools.json_columns import NULL_VALUE, OTHER, PRESENT

Columns = dict[str, Any]

WORDS = ("author", "source", "status", "created")
"""Members that are columns of the same name. Datumaro ignores them."""

ANNOTATIONS: Any = {
    "type": "string", "id": "int", "label_id": "int", "group": "int", "object_id": "int", "z_order": "int",
    "attributes": "raw", "points": "numbers", "bbox": "numbers", "rle": "raw", "caption": "string",
    "visibility": "numbers", "names": "raw",
    "elements": "raw", "position": "numbers", "rotation": "numbers", "scale": "numbers",
    "start": "int", "end": "int", "text": "string", "score": "number", "frame": "int",
    **dict.fromkeys(WORDS, "string"), NEXT_ITEM: "int",
}  # fmt: skip


# Points whose names are known: skeletons, as ddfast writes them.
NAMED_POINTS = "points with names"


class AnnotationColumns(CheckedChunk):
    """Annotations of several items: which type each has, and the columns of it."""

    def shapes(self) -> list[tuple[Rows, Columns]]:
        """Rows and their columns, one pair for each type."""
        types = strings(self.columns["type"]).dictionary_encode()
        numbers = types.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self._refuse(np.flatnonzero(numbers < 0), "type", lambda row: "it is missing")
        found = []
        for number, name in enumerate(types.dictionary.to_pylist()):
            rows = self._left(np.flatnonzero(numbers == number))
            if name not in SHAPES:
                self._refuse(rows, "type", lambda row, name=name: f"there is no type {name!r}")  # type: ignore[misc]
                continue
            parts = self._points_and_skeletons(rows) if name == "points" else [(name, rows)]
            found += [self._shape(kind, part) for kind, part in parts]
        return [(rows, columns) for rows, columns in found if len(rows)]

    def _shape(self, name: str, rows: Rows) -> tuple[Rows, Columns]:
        check, columns = SHAPES[name]
        rows = check(self, rows)
        return (rows, {"type": name, **columns(self, rows)}) if len(rows) else (rows, {})

    def _points_and_skeletons(self, rows: Rows) -> list[tuple[str, Rows]]:
        named = np.isin(self.columns["names"].states[rows], (PRESENT, NULL_VALUE))
        return [("points", rows[~named]), (NAMED_POINTS, rows[named])]

    def common(self, rows: Rows) -> Columns:
        """Columns that all annotations have."""
        columns: Columns = {
            "item": self.items[rows],
            "label": self._integers("label_id", rows, np.int32),
            "id": self._integers("id", rows, missing=0),
            "group": self._integers("group", rows, missing=0),
            "z_order": self._integers("z_order", rows, np.int32, missing=0),
            "track": self._integers("object_id", rows, missing=-1),
            "frame": self._integers("frame", rows, np.int32),
            "score": self._scores(rows),
        }
        for name in WORDS:
            if (self.columns[name].states == PRESENT).any():
                columns[name] = strings(self.columns[name]).dictionary_encode().take(rows)
        return columns | self._attributes(rows)

    def _integers(self, name: str, rows: Rows, kind: Any = np.int64, missing: int | None = None) -> Any:
        """A column of integers; null where there is none, and for the number that means none."""
        import pyarrow as pa

        column = self.columns[name]
        values = column.values[rows]
        absent = column.states[rows] != PRESENT
        if missing is not None:
            absent |= values == missing
        return None if absent.all() else pa.array(values.astype(kind), mask=absent)

    def _scores(self, rows: Rows) -> Any:
        import pyarrow as pa

        column = self.columns["score"]
        absent = (column.states[rows] != PRESENT) | ~np.isfinite(column.values[rows])
        return None if absent.all() else pa.array(column.values[rows], mask=absent)

    def _attributes(self, rows: Rows) -> Columns:
        texts, crowds, numbers = self._known_attributes
        return {"attributes": texts.take(numbers.take(rows)), "crowd": crowds.take(numbers.take(rows))}

    @cached_property
    def _known_attributes(self) -> tuple[Any, Any, Any]:
        """Different attributes, whether each says that the annotation is a crowd, and which each record has."""
        import pyarrow as pa

        column = strings(self.columns["attributes"]).dictionary_encode()
        found = [_split_attributes(text) for text in column.dictionary.to_pylist()]
        texts = pa.array([text for text, _ in found], pa.string())
        return texts.dictionary_encode(), pa.array([crowd for _, crowd in found], pa.bool_()), column.indices

    def _rotation(self, rows: Rows) -> Any:
        """Rotation angles in degrees, an extension of the format."""
        import pyarrow as pa

        column = self.columns["rotation"]
        turned = np.flatnonzero(column.states[rows] == OTHER).tolist()
        angles = np.full(len(rows), np.nan)
        for place in turned:
            text = text_of(column, int(rows[place]))
            angles[place] = float(text) if text[0] in "-0123456789" else np.nan
        absent = ~np.isfinite(angles) | (angles == 0)
        return None if absent.all() else pa.array(angles, mask=absent)

    def box_columns(self, rows: Rows) -> Columns:
        """Of boxes."""
        box = self.values(rows, "bbox")[0].reshape(-1, 4)
        return {**_box(box), "area": box[:, 2] * box[:, 3], "rotation": self._rotation(rows)}

    def ellipse_columns(self, rows: Rows) -> Columns:
        """Of ellipses, which have opposite corners."""
        box = self.values(rows, "points")[0].reshape(-1, 4).copy()
        box[:, 2:] -= box[:, :2]
        area = np.pi * box[:, 2] * box[:, 3] / 4
        return {**_box(box), "area": area, "rotation": self._rotation(rows)}

    def polygon_columns(self, rows: Rows) -> Columns:
        """Of polygons."""
        values, starts = self.values(rows, "points")
        return {
            "points": ragged(values, starts),
            "area": polygon_areas(values, starts),
            **_box(boxes(values, starts)),
        }

    def line_columns(self, rows: Rows) -> Columns:
        """Of polylines."""
        values, starts = self.values(rows, "points")
        return {"points": ragged(values, starts), **_box(boxes(values, starts))}

    def point_columns(self, rows: Rows) -> Columns:
        """Of points; without a visibility they are visible."""
        values, starts = self.values(rows, "points")
        visible = np.full(len(values) // 2, 2, np.int8)
        own, own_starts = self.values(rows, "visibility")
        given = own_starts[1:] > own_starts[:-1]
        visible[np.repeat(given, np.diff(starts // 2))] = own.astype(np.int8)
        return _points(values, visible, starts // 2)

    def named_point_columns(self, rows: Rows) -> Columns:
        """Of points with names, which are skeletons."""
        names = strings(self.columns["names"]).take(rows)
        return {**self.point_columns(rows), "type": "skeleton", "text": names}

    def skeleton_columns(self, rows: Rows) -> Columns:
        """Of skeletons whose points are annotations of their own."""
        joints = [self._joints[row] for row in rows.tolist()]
        starts = np.concatenate([[0], np.cumsum([len(own) for own in joints])])
        places = np.array([(x, y) for own in joints for x, y, _, _ in own], np.float64)
        visible = np.array([state for own in joints for _, _, state, _ in own], np.int8)
        names = [json.dumps([name for *_, name in own], ensure_ascii=False) for own in joints]
        return {"text": names, **_points(places.reshape(-1), visible, starts)}

    def mask_columns(self, rows: Rows) -> Columns:
        """Of masks."""
        found = [self._masks[row] for row in rows.tolist()]
        return {
            "mask": [rle["counts"] for rle in found],
            "mask_height": [rle["size"][0] for rle in found],
            "mask_width": [rle["size"][1] for rle in found],
            "area": np.array([masks.area(rle) for rle in found], np.float64),
            **_box(np.array([masks.box(rle) for rle in found], np.float64).reshape(-1, 4)),
        }

    def label_columns(self, rows: Rows) -> Columns:
        """Of labels, which have no others."""
        return {}

    def caption_columns(self, rows: Rows) -> Columns:
        """Of captions."""
        return {"text": strings(self.columns["caption"]).take(rows)}

    def cuboid_columns(self, rows: Rows) -> Columns:
        """Of cuboids: place, rotation and size."""
        parts = [self.values(rows, name)[0].reshape(-1, 3) for name in ("position", "rotation", "scale")]
        values = np.concatenate(parts, axis=1)
        return {"points": ragged(values.reshape(-1), np.arange(0, values.size + 1, 9))}

    def span_columns(self, rows: Rows) -> Columns:
        """Of pieces of text."""
        ends = np.stack([self.columns[name].values[rows] for name in ("start", "end")], axis=1)
        return {
            "points": ragged(ends.astype(np.float64).reshape(-1), np.arange(0, ends.size + 1, 2)),
            "text": strings(self.columns["text"]).take(rows),
        }


Check = Callable[[AnnotationColumns, Rows], Rows]
MakeColumns = Callable[[AnnotationColumns, Rows], Columns]

SHAPES: dict[str, tuple[Check, MakeColumns]] = {
    "label": (AnnotationColumns.labels, AnnotationColumns.label_columns),
    "mask": (AnnotationColumns.masks, AnnotationColumns.mask_columns),
    "points": (AnnotationColumns.points, AnnotationColumns.point_columns),
    NAMED_POINTS: (AnnotationColumns.skeletons, AnnotationColumns.named_point_columns),
    "skeleton": (AnnotationColumns.elements, AnnotationColumns.skeleton_columns),
    "polygon": (AnnotationColumns.polygons, AnnotationColumns.polygon_columns),
    "polyline": (AnnotationColumns.lines, AnnotationColumns.line_columns),
    "bbox": (AnnotationColumns.boxes, AnnotationColumns.box_columns),
    "caption": (AnnotationColumns.captions, AnnotationColumns.caption_columns),
    "cuboid_3d": (AnnotationColumns.cuboids, AnnotationColumns.cuboid_columns),
    "ellipse": (AnnotationColumns.ellipses, AnnotationColumns.ellipse_columns),
    "span": (AnnotationColumns.spans, AnnotationColumns.span_columns),
}


def _box(box: Floats) -> Columns:
    names = ("x", "y", "width", "height")
    return {name: np.ascontiguousarray(box[:, axis]) for axis, name in enumerate(names)}


def _points(values: Floats, visible: Any, starts: Rows) -> Columns:
    """Columns of points, with the boxes around those that are not absent."""
    present = visible > 0
    before = np.concatenate([[0], np.cumsum(present)])[starts] * 2
    shown = np.ascontiguousarray(values.reshape(-1, 2)[present]).reshape(-1)
    return {
        "points": ragged(values, starts * 2),
        "visibility": ragged(visible, starts),
        **_box(np.nan_to_num(boxes(shown, before))),
    }


def _split_attributes(text: str) -> tuple[str | None, bool | None]:
    """The text of attributes without the one that says whether it is a crowd, and what that says."""
    if CROWD not in text:
        return (None if text[1:-1].strip() == "" else text), None
    values = json.loads(text)
    crowd = values.get(CROWD) if isinstance(values, dict) else None
    if crowd not in (True, False):
        return text, None
    del values[CROWD]
    return (json.dumps(values, ensure_ascii=False) if values else None), bool(crowd)
