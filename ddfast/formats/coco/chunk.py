"""Records of a chunk of a COCO file: which shape each has, what is wrong with it, and its columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.builder import ragged
from ddfast.annotated.gather import spread
from ddfast.annotated.geometry import boxes, polygon_areas
from ddfast.annotated.json_values import rle_of, strings
from ddfast.formats.coco.columns import json_text
from ddfast.formats.coco.ids import NONE, TextIds, other_texts
from ddfast.tools.json_columns import FLAT, MISSING, OTHER, PRESENT

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.tools.json_columns import JSONColumn, JSONTable

# Fields that have one type, what it is, and other values that are accepted.
TYPES: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "bbox": ("a list of numbers", ()),
    "keypoints": ("a list of numbers", ()),
    "area": ("a number", ()),
    "score": ("a number", ()),
    "iscrowd": ("0 or 1", (b"true", b"false")),
    "caption": ("a text", ()),
}

VISIBILITY = (0, 1, 2)

# Coordinates that a polygon has at least.
POLYGON_VALUES = 6

Problem = Callable[[int, str, str], None]
"""Called with the number of a record in its chunk, the field, and what is wrong."""


class Chunk:
    """The records of one chunk: which shape each has, and the columns of it."""

    def __init__(self, table: JSONTable, problem: Problem, texts: TextIds) -> None:
        self.table = table
        self.problem = problem
        self.columns = table.columns
        self.texts = texts
        self.good = np.ones(table.rows, bool)
        self.ids = {name: self._ids(name) for name in ("image_id", "category_id", "id")}
        self._refuse(self.ids["image_id"] == NONE, "image_id", lambda row: "it is missing")
        self._check_types()
        self.box, self.has_box = self._boxes()
        self.is_mask = self.columns["segmentation"].states == OTHER
        self.parts = self._part_counts()
        self.keypoints = self._keypoints()
        self.attributes = self._objects("attributes")

    def _has(self, name: str) -> npt.NDArray[np.bool_]:
        return self.columns[name].states == PRESENT  # type: ignore[no-any-return]

    def _offsets(self, name: str) -> npt.NDArray[np.int32]:
        offsets = self.columns[name].offsets
        assert offsets is not None
        return offsets

    def _refuse(self, rows: npt.NDArray[np.bool_], field: str, message: Callable[[int], str]) -> None:
        """Report records that make no sense, and leave them out."""
        for row in np.flatnonzero(rows & self.good).tolist():
            self.problem(row, field, message(row))
            self.good[row] = False

    def _ids(self, name: str) -> npt.NDArray[np.int64]:
        column = self.columns[name]
        ids, wrong = self.texts.of(column)
        texts = dict(other_texts(column)) if wrong.any() else {}
        self._refuse_texts(name, "an integer", {row: texts[row] for row in np.flatnonzero(wrong).tolist()})
        return ids

    def _check_types(self) -> None:
        """Refuse values that are not what their fields are; flags may be integers or booleans."""
        for name, (what, accepted) in TYPES.items():
            column = self.columns[name]
            if len(column.other_rows):
                self._refuse_texts(name, what, dict(other_texts(column)), accepted)
        for name in ("score", "area"):
            column = self.columns[name]
            infinite = (column.states == PRESENT) & ~np.isfinite(column.values)
            self._refuse(infinite, name, lambda row: "it is not finite")

    def _objects(self, name: str) -> JSONColumn:
        """A column of objects; other values are refused, but for ``[]``, which stands for an empty object."""
        column, offsets = self.columns[name], self._offsets(name)
        lengths = np.diff(offsets)
        other = (lengths > 0) & (np.append(column.values, 0)[offsets[:-1]] != ord("{"))
        empty = (lengths == 2) & (np.append(column.values, 0)[offsets[:-1]] == ord("["))
        self._refuse(other & ~empty, name, lambda row: "it is not an object")
        return column._replace(states=np.where(other, MISSING, column.states).astype(np.uint8))

    def _refuse_texts(
        self, name: str, what: str, texts: dict[int, bytes], accepted: Collection[bytes] = ()
    ) -> None:
        wrong = np.zeros(self.table.rows, bool)
        wrong[[row for row, text in texts.items() if text not in accepted]] = True
        self._refuse(wrong, name, lambda row: f"{_short(texts[row])} is not {what}")

    def _boxes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        column, offsets = self.columns["bbox"], self._offsets("bbox")
        lengths = np.diff(offsets)
        present = self._has("bbox") & (lengths > 0)
        self._refuse(present & (lengths != 4), "bbox", lambda row: f"it has {lengths[row]} numbers, not 4")
        present &= lengths == 4
        box = np.full((self.table.rows, 4), np.nan)
        box[present] = column.values[offsets[:-1][present][:, None] + np.arange(4)]
        finite = np.isfinite(box).all(axis=1)
        self._refuse(present & ~finite, "bbox", lambda row: f"{box[row].tolist()} is not finite")
        negative = (np.nan_to_num(box[:, 2:]) < 0).any(axis=1)
        self._refuse(negative, "bbox", lambda row: f"{box[row].tolist()} has a negative size")
        return box, present

    def _part_counts(self) -> npt.NDArray[np.int64]:
        """Number of polygons of each record; those that have too few coordinates are refused."""
        column, offsets = self.columns["segmentation"], self._offsets("segmentation")
        assert column.parts is not None
        counts = np.diff(offsets).astype(np.int64)
        counts[(column.states != PRESENT) & (column.states != FLAT)] = 0
        lengths = np.diff(column.parts)
        counts[column.parts[offsets[1:]] == column.parts[offsets[:-1]]] = 0  # [[]] is no shape
        bad = np.flatnonzero((lengths < POLYGON_VALUES) | (lengths % 2 == 1))
        if len(bad):
            owners = np.searchsorted(offsets, bad, side="right") - 1
            bad, owners = bad[counts[owners] > 0], owners[counts[owners] > 0]
            wrong = dict(zip(owners.tolist(), lengths[bad].tolist(), strict=True))
            rows = np.zeros(self.table.rows, bool)
            rows[owners] = True
            self._refuse(
                rows, "segmentation",
                lambda row: f"a polygon has {wrong[row]} coordinates, not an even number of at least {POLYGON_VALUES}",
            )  # fmt: skip
        if not np.isfinite(column.values.sum()):
            faulty = np.concatenate([[0], np.cumsum(~np.isfinite(column.values))])[column.parts[offsets]]
            rows = (np.diff(faulty) > 0) & (counts > 0)
            self._refuse(rows, "segmentation", lambda row: "a coordinate is not finite")
        return counts

    def _keypoints(self) -> npt.NDArray[np.bool_]:
        lengths = np.diff(self._offsets("keypoints"))
        present = self._has("keypoints") & (lengths > 0)
        values = self.columns["keypoints"].values
        if not np.isfinite(values).all():
            faulty = np.concatenate([[0], np.cumsum(~np.isfinite(values))])[self._offsets("keypoints")]
            self._refuse(np.diff(faulty) > 0, "keypoints", lambda row: "a number is not finite")
        odd = present & (lengths % 3 != 0)
        self._refuse(odd, "keypoints", lambda row: f"it has {lengths[row]} numbers, not three for each point")
        rows = np.flatnonzero(
            present & self.good & ~self._has("score")
        )  # results have scores of points there
        triples, starts = self._points(rows, raw=True)
        unknown = np.concatenate([[0], np.cumsum(~np.isin(triples[:, 2], VISIBILITY))])[starts]
        wrong = np.zeros(self.table.rows, bool)
        wrong[rows[np.diff(unknown) > 0]] = True
        self._refuse(wrong, "keypoints", lambda row: "the visibility of a point is not 0, 1 or 2")
        return present

    def common(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Columns that all annotations have."""
        import pyarrow as pa

        score, crowd = self.columns["score"], self.columns["iscrowd"]
        flags, known = crowd.values != 0, crowd.states == PRESENT
        for row, text in other_texts(crowd):
            flags[row], known[row] = text == b"true", True
        ids = self.texts.integers(self.ids["id"][rows])
        return {
            "id": pa.array(ids, mask=ids < NONE + 2**32),
            "score": pa.array(score.values[rows], mask=score.states[rows] != PRESENT),
            "crowd": pa.array(flags[rows], mask=~known[rows]),
            "attributes": self._attributes(rows),
        }

    def _attributes(self, rows: npt.NDArray[np.int64]) -> pa.Array | None:
        """The attributes of the file, and ids that are texts as the attribute ``id``."""
        import pyarrow as pa

        column = self.attributes
        texts = {
            row: text for row in rows.tolist() if (text := self.texts.text(int(self.ids["id"][row]))) is not None
        } if len(self.columns["id"].other_rows) else {}  # fmt: skip
        if not texts:
            return (
                strings(column).dictionary_encode().take(rows) if (column.states == PRESENT).any() else None
            )
        found = [json.loads(text) if text else {} for text in strings(column).to_pylist()]
        for row, text in texts.items():
            found[row] = {"id": text, **found[row]}
        forms = [json_text(one) if one else None for one in found]
        return pa.array([forms[row] for row in rows.tolist()], pa.string()).dictionary_encode()

    def shapes(self) -> list[tuple[npt.NDArray[np.int64], dict[str, Any]]]:
        """Rows and their columns, one pair for all records with polygons, masks, boxes, points, captions, labels."""
        self._masks = self._decode_masks()
        polygons = self.good & (self.parts > 0)
        masks = self.good & self.is_mask
        captions = self.good & self._has("caption")
        only_box = self.good & self.has_box & ~polygons & ~masks & ~self._is_box_of_points()
        labels = self.good & ~polygons & ~masks & ~only_box & ~captions & ~self.keypoints
        found = [
            (polygons, self._polygon_columns),
            (masks, self._mask_columns),
            (only_box, self._box_columns),
            (self.good & self.keypoints, self._keypoint_columns),
            (captions, self._caption_columns),
            (labels, self._label_columns),
        ]
        return [
            (np.flatnonzero(rows), columns(np.flatnonzero(rows))) for rows, columns in found if rows.any()
        ]

    def _box_of(
        self, rows: npt.NDArray[np.int64], compute: Callable[[], npt.NDArray[np.float64]] | None = None
    ) -> dict[str, Any]:
        """The boxes of the file; ``compute`` gives those of all rows if one is missing."""
        import pyarrow as pa

        box = self.box[rows]
        if compute is not None and np.isnan(box[:, 0]).any():
            box = np.where(np.isnan(box), compute(), box)
        missing = np.isnan(box[:, 0])
        return {
            name: pa.array(np.ascontiguousarray(box[:, axis]), mask=missing)
            for axis, name in enumerate(("x", "y", "width", "height"))
        }

    def _area_of(
        self, rows: npt.NDArray[np.int64], compute: Callable[[], npt.NDArray[np.float64]]
    ) -> npt.NDArray[np.float64]:
        """The areas of the file; ``compute`` gives those of all rows if one is missing."""
        area = self.columns["area"].values[rows]
        return np.where(np.isnan(area), compute(), area) if np.isnan(area).any() else area

    def _points(
        self, rows: npt.NDArray[np.int64], raw: bool = False
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Triples of x, y and visibility of all keypoints, and the first of each record.

        Other numbers than those of visibility are 2 if they are positive, else 0, unless ``raw``.
        """
        offsets = self._offsets("keypoints").astype(np.int64)
        counts = offsets[rows + 1] - offsets[rows]
        triples = self.columns["keypoints"].values[spread(offsets[rows], counts)].reshape(-1, 3)
        if not raw:
            state = triples[:, 2]
            triples[:, 2] = np.where(np.isin(state, VISIBILITY), state, np.where(state > 0, 2, 0))
        return triples, np.concatenate([[0], np.cumsum(counts // 3)])

    def _boxes_of_points(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Boxes around the points of each record that are not absent."""
        triples, starts = self._points(rows)
        present = triples[:, 2] > 0
        before = np.concatenate([[0], np.cumsum(present)])
        return boxes(np.ascontiguousarray(triples[present, :2]).reshape(-1), before[starts] * 2)

    def _is_box_of_points(self) -> npt.NDArray[np.bool_]:
        """Records whose box only encloses their points, as `writing` does for points without a shape."""
        found = np.zeros(self.table.rows, bool)
        rows = np.flatnonzero(self.good & self.keypoints & self.has_box)
        if len(rows):
            found[rows] = (self._boxes_of_points(rows) == self.box[rows]).all(axis=1)
        return found

    def _group(self, rows: npt.NDArray[np.int64]) -> Any:
        """The id of records that give two annotations: a shape and points."""
        import pyarrow as pa

        numbers = self.ids["id"][rows]
        return pa.array(numbers, mask=~self.keypoints[rows] | (numbers == NONE))

    def _polygon_columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        column, offsets = self.columns["segmentation"], self._offsets("segmentation").astype(np.int64)
        parts = np.asarray(column.parts, np.int64)
        starts, stops = parts[offsets[rows]], parts[offsets[rows + 1]]
        counts = self.parts[rows]
        values = column.values
        if len(rows) < self.table.rows and int((stops - starts).sum()) != len(values):
            values = values[spread(starts, stops - starts)]
        lengths = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(stops - starts, out=lengths[1:])
        columns: dict[str, Any] = {
            "type": "polygon",
            "points": ragged(values, lengths),
            "group": self._group(rows),
        }
        part_rows = spread(offsets[rows], counts)
        part_starts = parts[part_rows] - np.repeat(starts - lengths[:-1], counts)
        part_offsets = np.append(part_starts, lengths[-1])
        first_parts = np.concatenate([[0], np.cumsum(counts)])
        if (counts > 1).any():
            relative = part_starts - np.repeat(lengths[:-1], counts)
            several = np.repeat(counts > 1, counts)
            part_lists = np.concatenate([[0], np.cumsum(np.where(counts > 1, counts, 0))])
            columns["parts"] = ragged(relative[several].astype(np.int32), part_lists, counts == 1)
        columns["area"] = self._area_of(
            rows, lambda: np.add.reduceat(polygon_areas(values, part_offsets), first_parts[:-1])
        )
        return columns | self._box_of(rows, lambda: boxes(values, lengths))

    def _decode_masks(self) -> dict[int, dict[str, Any]]:
        """The mask of each record that has one."""
        found = {}
        for row, text in other_texts(self.columns["segmentation"]):
            if not self.good[row]:
                continue
            try:
                found[row] = rle_of(json.loads(text))
            except ValueError as error:
                self.problem(row, "segmentation", str(error))
                self.good[row] = False
        return found

    def _mask_columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        found = [self._masks[row] for row in rows.tolist()]
        return {
            "type": "mask",
            "mask": [rle["counts"] for rle in found],
            "mask_height": [rle["size"][0] for rle in found],
            "mask_width": [rle["size"][1] for rle in found],
            "area": self._area_of(rows, lambda: np.array([masks.area(rle) for rle in found], np.float64)),
            "group": self._group(rows),
            **self._box_of(rows, lambda: np.array([masks.box(rle) for rle in found], np.float64)),
        }

    def _box_columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        area = self._area_of(rows, lambda: self.box[rows, 2] * self.box[rows, 3])
        return {"type": "bbox", "area": area, "group": self._group(rows), **self._box_of(rows)}

    def _keypoint_columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        triples, starts = self._points(rows)
        return {
            "type": "points",
            **self._box_of(rows, lambda: self._boxes_of_points(rows)),
            "points": ragged(np.ascontiguousarray(triples[:, :2]).reshape(-1), starts * 2),
            "visibility": ragged(triples[:, 2].astype(np.int8), starts),
            "group": self._group(rows),
        }

    def _caption_columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        return {"type": "caption", "text": strings(self.columns["caption"]).take(rows)}

    def _label_columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        return {"type": "label"}


def _short(text: bytes) -> str:
    return text[:80].decode(errors="replace")
