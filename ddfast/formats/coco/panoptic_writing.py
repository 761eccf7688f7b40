"""Writes COCO's panoptic segmentation: an image of the numbers of segments for each item, and what they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.pixels import encode
from ddfast.annotated.tables import floats, integers
from ddfast.formats.coco.columns import json_text
from ddfast.formats.coco.segments import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.coco.subset import Subset

MAX_ID = 2**24 - 1
"""The largest number that three bytes hold."""


def write_panoptic(subset: Subset, file: BinaryIO, output: OutputFolder, folder: str, report: Report) -> None:
    """Write the file of a subset, and its images below ``folder``.

    Where segments overlap, that with the larger ``z_order`` is on top, then the later one.
    """
    subset.write_header(file, "panoptic")
    segments = SegmentPictures(subset)
    hidden = 0
    first = True
    for item, rows in segments.by_item():
        picture, records = segments.drawn(item, rows)
        hidden += len(rows) - len(records)
        if not records:
            continue
        name = f"{output_name(subset.names[item])}.png"
        output.write(f"{folder}/{name}", encode(picture, ".png"))
        form = {"image_id": int(subset.image_ids[item]), "file_name": name, "segments_info": records}
        file.write((b"" if first else b",\n") + json_text(form).encode())
        report.counts["annotations"] += len(records)
        first = False
    file.write(b"]}\n")
    if hidden:
        report.notes.append(
            f"{hidden:,} segments are not in panoptic images: others cover them, or their size is not that of the image"
        )


def output_name(name: str) -> str:
    """The name of an image file without its extension."""
    return name.rpartition(".")[0] or name


class SegmentPictures:
    """The masks and polygons of a subset as segments.

    Parameters:
        subset: the items.
    """

    def __init__(self, subset: Subset) -> None:
        annotations = subset.tables.annotations
        self.subset = subset
        self.rows = np.flatnonzero(np.isin(subset.types, ("mask", "polygon")))
        self.table = annotations.take(self.rows)
        self.shapes = Shapes(self.table, subset.sizes, "mask")
        self.items = integers(self.table, "item")
        self.ids = integers(self.table, "id")
        self.area = floats(self.table, "area")
        self.box = np.stack([floats(self.table, name) for name in ("x", "y", "width", "height")], axis=1)
        labels = integers(self.table, "label", -1)
        self.category = (
            np.where(labels >= 0, subset.category_ids[labels], -1) if len(subset.category_ids) else labels
        )
        self.attributes = (
            self.table.column("attributes").to_pylist()
            if "attributes" in self.table.column_names and subset.options.allow_attributes
            else [None] * len(self.rows)
        )

    def by_item(self) -> list[tuple[int, list[int]]]:
        """Items that have segments, and the rows of these from the lowest to the uppermost."""
        order = np.lexsort([np.arange(len(self.items)), integers(self.table, "z_order"), self.items])
        starts = np.flatnonzero(np.diff(self.items[order], prepend=-1))
        stops = np.append(starts, len(order))[1:]
        return [
            (int(self.items[order[start]]), order[start:stop].tolist())
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        ]

    def drawn(self, item: int, rows: Sequence[int]) -> tuple[npt.NDArray[np.uint8], list[dict[str, Any]]]:
        """The image of an item, blue, green, red; and the records of the segments in it."""
        size = self.subset.sizes[item]
        height, width = (size if (size > 0).all() else self.shapes.sizes[rows[0]]).tolist()
        canvas = np.zeros((height, width), np.uint32)
        numbers = self._numbers(rows)
        for row, number in zip(rows, numbers, strict=True):
            if self.shapes.sizes[row].tolist() != [height, width]:
                continue
            pixels, (left, top, columns, lines) = masks.crop(self.shapes.rle(row))
            canvas[top : top + lines, left : left + columns][pixels] = number
        found, counts = np.unique(canvas, return_counts=True)
        areas = dict(zip(found.tolist(), counts.tolist(), strict=True))
        records = [
            self._record(row, number, areas[number], canvas)
            for row, number in sorted(zip(rows, numbers, strict=True))
            if number in areas
        ]
        bytes_of = canvas[:, :, None] >> np.array([16, 8, 0], np.uint32)
        return (bytes_of & 255).astype(np.uint8), records

    def _numbers(self, rows: Sequence[int]) -> list[int]:
        """The number of each segment of an image: its id, if it fits into three bytes and is its own."""
        ids: list[int] = self.ids[list(rows)].tolist()
        if len(set(ids)) == len(ids) and all(0 < number <= MAX_ID for number in ids):
            return ids
        return list(range(1, len(ids) + 1))

    def _record(self, row: int, number: int, area: int, canvas: npt.NDArray[np.uint32]) -> dict[str, Any]:
        whole = area == masks.area(self.shapes.rle(row))
        box = self.box[row].tolist() if whole else masks.box(masks.encode(canvas == number))
        record: dict[str, Any] = {"id": number}
        if self.category[row] >= 0:
            record["category_id"] = int(self.category[row])
        record |= {"area": area, "bbox": box, "iscrowd": int(self.shapes.crowd[row])}
        text = self.attributes[row]
        if text:
            record["attributes"] = json.loads(text)
        return record
