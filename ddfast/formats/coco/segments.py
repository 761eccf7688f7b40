"""Shapes as COCO's ``segmentation``, and masks from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.contours import bridged, mask_to_polygons
from ddfast.annotated.parts import part_starts
from ddfast.annotated.tables import codes, integers, lists, mask_sizes
from ddfast.tools.json_columns import OTHER, PRESENT, JSONColumn, json_column

if TYPE_CHECKING:
    import pyarrow as pa

# Of the smaller area: what counts as covered, or as inside, in spite of lines drawn by hand.
NEARLY = 0.999


class Shapes:
    """Boxes, polygons and masks of some annotations.

    Parameters:
        table: of annotations; a row without a type has no shape.
        sizes: height and width of the items.
        mode: ``"guess"``, ``"polygons"`` or ``"mask"``, as the option ``segmentation_mode``.
    """

    def __init__(self, table: pa.Table, sizes: npt.NDArray[np.int64], mode: str) -> None:
        self.table = table
        self.mode = mode
        numbers, names = codes(table, "type")
        self.kinds = np.array([*names, None], object)[numbers]
        self.sizes = mask_sizes(table, sizes)
        self.crowd = integers(table, "crowd") == 1
        self.values, self.offsets = lists(table, "points")
        starts, self.firsts = part_starts(table, self.offsets)
        self.ends = np.append(starts, self.offsets[-1])

    @cached_property
    def as_mask(self) -> npt.NDArray[np.bool_]:
        """Rows that are written as run lengths. A polygon needs a size for that."""
        polygons = (self.kinds == "polygon") & (self.sizes > 0).all(axis=1)
        if self.mode == "polygons":
            return np.zeros(len(self.kinds), bool)
        found: npt.NDArray[np.bool_] = (self.kinds == "mask") | (
            polygons & (self.crowd | (self.mode == "mask"))
        )
        return found

    def rle(self, row: int) -> dict[str, Any]:
        """The mask of a polygon or mask."""
        height, width = self.sizes[row].tolist()
        if self.kinds[row] == "mask":
            return {"size": [height, width], "counts": self.table.column("mask")[row].as_py()}
        return masks.from_polygons(self.rings(row), height, width)

    def rings(self, row: int) -> list[npt.NDArray[np.float64]]:
        """The parts of a polygon."""
        parts = range(self.firsts[row], self.firsts[row + 1])
        return [self.values[self.ends[part] : self.ends[part + 1]] for part in parts]

    def column(self, cropped: dict[int, dict[str, Any]]) -> JSONColumn:
        """The column ``segmentation``.

        Parameters:
            cropped: masks of rows that are written in the place of their own.
        """
        changed = self.as_mask | (self.kinds == "mask")
        changed[list(cropped)] = True
        rows = np.flatnonzero(changed)
        texts = [self._text(row, cropped.get(row)) for row in rows.tolist()]
        states = np.full(len(self.kinds), PRESENT, np.uint8)
        states[rows] = OTHER
        column = json_column("segments", self.values, offsets=self.firsts, parts=self.ends, states=states)
        places = np.cumsum([0, *map(len, texts)]).astype(np.int32)
        other = np.frombuffer(b"".join(texts), np.uint8)
        return column._replace(other_rows=rows.astype(np.int32), other_offsets=places, other=other)

    def _text(self, row: int, rle: dict[str, Any] | None) -> bytes:
        rle = rle or self.rle(row)
        if self.as_mask[row]:
            return rle_text(rle)
        return json.dumps([bridged(part) for part in mask_to_polygons(rle)]).encode()

    def cropped(self) -> dict[int, dict[str, Any]]:
        """For each row that shapes above it partly cover the mask that is visible."""
        found: dict[int, dict[str, Any]] = {}
        drawn = np.isin(self.kinds, ("polygon", "mask")) & (self.sizes > 0).all(axis=1)
        for rows in self._by_item(np.flatnonzero(drawn)):
            rles = [self.rle(row) for row in rows]
            if len({tuple(rle["size"]) for rle in rles}) == 1:
                found.update(
                    (row, rle) for row, rle in zip(rows, visible(rles), strict=True) if rle is not None
                )
        return found

    def _by_item(self, rows: npt.NDArray[np.int64]) -> Iterator[list[int]]:
        """The rows of each item that has several, from the lowest to the uppermost."""
        items = integers(self.table, "item")[rows]
        order = np.lexsort([rows, integers(self.table, "z_order")[rows], items])
        starts = np.flatnonzero(np.diff(items[order], prepend=-1))
        for start, stop in zip(starts, np.append(starts, len(rows))[1:], strict=True):
            if stop - start > 1:
                yield rows[order[start:stop]].tolist()


def visible(rles: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """The pixels of each mask that no later mask has; None for masks that stay as they are.

    A mask that lies inside another makes no hole in it, and one that is covered completely stays.
    """
    areas = [masks.area(rle) for rle in rles]
    shares = masks.iou(rles, rles)
    found: list[dict[str, Any] | None] = []
    for low, area in enumerate(areas):
        above: list[dict[str, Any]] = []
        for high in range(low + 1, len(rles)):
            share = shares[low, high]
            common = share * (area + areas[high]) / (1 + share)
            if common and common >= NEARLY * area:
                above = []
                break
            if common and common < NEARLY * areas[high]:
                above.append(rles[high])
        rest = masks.merge([rles[low], complement(masks.union(above))], intersect=True) if above else None
        found.append(rest if rest is not None and masks.area(rest) else None)
    return found


def complement(rle: dict[str, Any]) -> dict[str, Any]:
    """The pixels that do not belong to a mask."""
    counts = masks.counts_of(rle)
    turned = counts[1:] if len(counts) and not counts[0] else np.concatenate([[0], counts])
    return masks.from_counts(turned, *rle["size"])


def rle_text(rle: dict[str, Any]) -> bytes:
    """A mask as COCO writes crowds: the lengths of its runs as numbers."""
    return json.dumps({"counts": masks.counts_of(rle).tolist(), "size": list(rle["size"])}).encode()
