"""One record for each object: boxes, polygons and masks of one group become one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.builder import TableBuilder, ragged
from ddfast.annotated.parts import part_starts
from ddfast.annotated.tables import codes, floats, integers, lists, mask_sizes

if TYPE_CHECKING:
    import pyarrow as pa

Rows = npt.NDArray[np.int64]

SHAPE = {
    "type", "x", "y", "width", "height", "area", "points", "parts", "mask", "mask_height", "mask_width", "rotation",
}  # fmt: skip


def one_row_each(regions: pa.Table, sizes: npt.NDArray[np.int64]) -> pa.Table:
    """Boxes, polygons and masks, of which those of one item, group and label are one row.

    Polygons become parts of one; masks, and polygons beside them, are united; a box is the box of its shape. What else
    a row says is that of the largest shape. Rows are in the order of the first of each group.

    Parameters:
        regions: annotations in the order of their items.
        sizes: height and width of the items, for polygons beside masks.
    """
    owner = _owners(regions)
    if bool((owner == np.arange(len(owner))).all()):
        return regions
    several = np.bincount(owner, minlength=len(owner))[owner] > 1
    builder = TableBuilder.of_annotations()
    singles = np.flatnonzero(~several)
    builder.add_table(regions.take(singles))
    rows = np.flatnonzero(several)
    rows = rows[np.argsort(owner[rows], kind="stable")]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(owner[rows]) != 0]))
    groups = Groups(regions.take(rows), starts, sizes)
    places = [singles]
    for records, columns in groups.shapes():
        if len(records):
            builder.add(len(records), **groups.common(records), **columns)
            places.append(owner[rows][starts[records]])
    return builder.finish(np.argsort(np.concatenate(places), kind="stable"))


def _owners(regions: pa.Table) -> Rows:
    """The first row of the group of each row; its own without a group."""
    rows = np.arange(regions.num_rows)
    groups = integers(regions, "group")
    if not groups.any():
        return rows
    keys = [integers(regions, "label", -1), groups, integers(regions, "item")]
    order = np.lexsort([rows, *keys])
    new = groups[order] == 0
    new[:1] = True
    for key in keys:
        new[1:] |= np.diff(key[order]) != 0
    owner = np.empty(len(rows), np.int64)
    starts = np.flatnonzero(new)
    owner[order] = np.repeat(order[starts], np.diff(np.append(starts, len(rows))))
    return owner


class Groups:
    """Rows that are several for a record.

    Parameters:
        table: the rows; those of a record follow each other.
        starts: the first row of each record.
        sizes: height and width of the items.
    """

    def __init__(self, table: pa.Table, starts: Rows, sizes: npt.NDArray[np.int64]) -> None:
        self.table = table
        self.starts = starts
        self.sizes = sizes
        self.record = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, table.num_rows)))
        numbers, names = codes(table, "type")
        self.kinds = np.array(names, object)[numbers]
        self.area = floats(table, "area")
        self.leaders = self._leaders()
        self.boxes = self._boxes()

    def _count(self, kind: str) -> Rows:
        return np.bincount(self.record[self.kinds == kind], minlength=len(self.starts))

    def _leaders(self) -> Rows:
        """The row of the largest shape of each record, or of its largest box."""
        order = np.lexsort([-np.nan_to_num(self.area), self.kinds == "bbox", self.record])
        return order[self.starts]

    def _boxes(self) -> npt.NDArray[np.float64]:
        """The box around the boxes of each record, or around its shapes."""
        x, y, width, height = (floats(self.table, name) for name in ("x", "y", "width", "height"))
        other = (self.kinds != "bbox") & (self._count("bbox") > 0)[self.record]
        low = [np.minimum.reduceat(np.where(other, np.inf, side), self.starts) for side in (x, y)]
        high = [
            np.maximum.reduceat(np.where(other, -np.inf, side), self.starts)
            for side in (x + width, y + height)
        ]
        # A single box keeps its numbers: its width is not computed from its sides.
        single = self._count("bbox") == 1
        first = np.lexsort([self.kinds != "bbox", self.record])[self.starts]
        sides = [high[0] - low[0], high[1] - low[1]]
        sides = [np.where(single, own[first], side) for own, side in zip((width, height), sides, strict=True)]
        return np.stack([*low, *sides], axis=1)

    def common(self, records: Rows) -> dict[str, Any]:
        """Columns that are not the shape: those of the leaders."""
        leaders = self.table.take(self.leaders[records])
        columns: dict[str, Any] = {
            name: leaders.column(name) for name in leaders.column_names if name not in SHAPE
        }
        for axis, name in enumerate(("x", "y", "width", "height")):
            columns[name] = np.ascontiguousarray(self.boxes[records, axis])
        return columns

    def shapes(self) -> list[tuple[Rows, dict[str, Any]]]:
        """Records and their shapes: one pair for all that have a mask, a polygon, boxes alone."""
        has_mask, has_polygon = self._count("mask") > 0, self._count("polygon") > 0
        with_masks = np.flatnonzero(has_mask)
        polygons = np.flatnonzero(has_polygon & ~has_mask)
        only_boxes = np.flatnonzero(~has_polygon & ~has_mask)
        boxes = {"type": "bbox", "area": self.boxes[only_boxes, 2] * self.boxes[only_boxes, 3]}
        return [
            (with_masks, self._masks(with_masks) if len(with_masks) else {}),
            (polygons, self._polygons(polygons) if len(polygons) else {}),
            (only_boxes, boxes),
        ]

    def _polygons(self, records: Rows) -> dict[str, Any]:
        rows = np.flatnonzero((self.kinds == "polygon") & np.isin(self.record, records))
        table = self.table.take(rows)
        values, offsets = lists(table, "points")
        starts, firsts = part_starts(table, offsets)
        of_record = np.searchsorted(records, self.record[rows])
        first_row = np.searchsorted(of_record, np.arange(len(records) + 1))
        points = offsets[first_row]
        parts = firsts[first_row]
        counts = np.diff(parts)
        relative = starts - np.repeat(points[:-1], counts)
        several = counts > 1
        part_lists = np.concatenate([[0], np.cumsum(np.where(several, counts, 0))])
        return {
            "type": "polygon",
            "points": ragged(values, points),
            "parts": ragged(relative[np.repeat(several, counts)].astype(np.int32), part_lists, ~several),
            "area": np.add.reduceat(self.area[rows], first_row[:-1]),
        }

    def _masks(self, records: Rows) -> dict[str, Any]:
        values, offsets = lists(self.table, "points")
        starts, firsts = part_starts(self.table, offsets)
        ends = np.append(starts, offsets[-1])
        heights, widths = mask_sizes(self.table, self.sizes).T.tolist()
        bounds = np.append(self.starts, self.table.num_rows)
        found, areas = [], []
        for record in records.tolist():
            rows = np.arange(bounds[record], bounds[record + 1])
            drawn = rows[self.kinds[rows] == "mask"].tolist()
            size = [heights[drawn[0]], widths[drawn[0]]]
            rles = [
                {"size": [heights[row], widths[row]], "counts": self.table.column("mask")[row].as_py()}
                for row in drawn
            ]
            for row in rows[self.kinds[rows] == "polygon"].tolist():
                rings = [values[ends[part] : ends[part + 1]] for part in range(firsts[row], firsts[row + 1])]
                rles.append(masks.from_polygons(rings, *size))
            rle = masks.union(rles)
            found.append(rle)
            areas.append(self.area[drawn[0]] if len(rles) == 1 else masks.area(rle))
        return {
            "type": "mask",
            "mask": [rle["counts"] for rle in found],
            "mask_height": [rle["size"][0] for rle in found],
            "mask_width": [rle["size"][1] for rle in found],
            "area": np.array(areas, np.float64),
        }
