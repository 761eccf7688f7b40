"""The items of one subset as COCO's annotation files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.item_sizes import item_sizes
from ddfast.annotated.json_values import states
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.tables import codes, floats, integers
from ddfast.formats.coco.columns import (
    boxes_column,
    bytes_column,
    json_text,
    keypoint_columns,
    scores_and_attributes,
)
from ddfast.formats.coco.grouping import one_row_each
from ddfast.formats.coco.ids import integer_of
from ddfast.formats.coco.images import LVIS
from ddfast.formats.coco.segments import Shapes
from ddfast.tools.json_columns import JSONColumn, JSONRecords, json_column

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report
    from ddfast.annotated.tables import Tables
    from ddfast.formats.coco.options import CocoWriteOptions

# Annotations that are turned into text at a time.
BLOCK = 1 << 15

REGIONS = ("polygon", "bbox", "mask")
TYPES = {
    "instances": REGIONS,
    "person_keypoints": ("points", *REGIONS),
    "captions": ("caption",),
    "labels": ("label",),
    "stuff": REGIONS,
    "panoptic": ("mask", "polygon"),
}
"""Types of annotations that a file of each task has a place for."""

NEEDED = {**TYPES, "person_keypoints": ("points",)}
"""Types of which there must be one for a file of the task."""

IMAGE_MEMBERS: dict[str, Any] = {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
"""Members that images have in COCO's own files, and what is written if nothing is known."""

HEADER = b'{"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"description": ""},\n"categories": '


@dataclass
class Subset:
    """The items of one subset.

    Parameters:
        tables: the items and their annotations.
        names: of the image files.
        options: of the format.
    """

    tables: Tables
    names: list[str]
    options: CocoWriteOptions

    def tasks(self, tasks: Sequence[str]) -> list[str]:
        """The tasks that there are annotations for; images alone if there are none."""
        present = set(self.types.tolist())
        found = [task for task in tasks if set(NEEDED.get(task, ())) & present]
        return found or ["instances" if "instances" in tasks else tasks[0]]

    @cached_property
    def types(self) -> npt.NDArray[Any]:
        """Type of each annotation."""
        numbers, names = codes(self.tables.annotations, "type")
        return np.array(names or [""], object)[numbers]

    @cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Height and width of each item, zeros if they are not known."""
        return item_sizes(self.tables)

    @cached_property
    def image_ids(self) -> npt.NDArray[np.int64]:
        """The id of each image: that of the source, if all have one of their own from 1 on; else their number."""
        count = self.tables.items.num_rows
        found = [] if self.options.reindex else [_integer(form.get("id")) for form in self.attributes]
        if len(found) == count == len(set(found)) and all(number > 0 for number in found):
            return np.array(found, np.int64)
        return np.arange(1, count + 1)

    @cached_property
    def attributes(self) -> list[dict[str, Any]]:
        """The attributes of each item."""
        if "attributes" not in self.tables.items.column_names:
            return [{}] * len(self.names)
        texts = self.tables.items.column("attributes").to_pylist()
        return [json.loads(text) if text else {} for text in texts]

    @cached_property
    def regions(self) -> pa.Table:
        """Boxes, polygons and masks, one row for each object."""
        rows = np.flatnonzero(np.isin(self.types, REGIONS))
        annotations = self.tables.annotations
        return one_row_each(
            annotations if len(rows) == annotations.num_rows else annotations.take(rows), self.sizes
        )

    def write(self, file: BinaryIO, task: str, report: Report) -> None:
        """Write the file of a task."""
        self.write_header(file, task)
        table = self._table(task)
        ids = self._annotation_ids(task, table)
        for start, stop in self._blocks(table):
            file.write(b",\n" if start else b"")
            block = table.slice(start, stop - start)
            file.writelines(JSONRecords(self._columns(block, task, ids[start:stop]), block.num_rows))
        file.write(b"]}\n")
        report.counts["annotations"] += table.num_rows

    def write_header(self, file: BinaryIO, task: str) -> None:
        """Write everything before the first annotation."""
        file.write(HEADER)
        file.write(json_text(self.categories(task)).encode())
        file.write(b',\n"images": [\n')
        file.writelines(self._images())
        file.write(b'],\n"annotations": [\n')

    def _images(self) -> Iterator[bytes]:
        columns: dict[str, JSONColumn | bytes] = {
            "id": json_column("int", self.image_ids),
            "width": json_column("int", np.ascontiguousarray(self.sizes[:, 1])),
            "height": json_column("int", np.ascontiguousarray(self.sizes[:, 0])),
            "file_name": bytes_column("string", self.names),
        }
        more = [self._members_of_image(form) for form in self.attributes]
        if any(more):
            forms = [json_text({**IMAGE_MEMBERS, **form}) for form in more]
            yield from JSONRecords(columns, len(self.names), extra=bytes_column("raw", forms))
        else:
            constant = {name: json.dumps(value).encode() for name, value in IMAGE_MEMBERS.items()}
            yield from JSONRecords({**columns, **constant}, len(self.names))

    def _members_of_image(self, form: dict[str, Any]) -> dict[str, Any]:
        """Attributes of an item: as members where COCO and LVIS have one, others as ``attributes``."""
        if form.keys() <= {"id"}:
            return {}
        found = {name: value for name, value in form.items() if name in IMAGE_MEMBERS or name in LVIS}
        rest = {name: value for name, value in form.items() if name not in found and name != "id"}
        return {**found, "attributes": rest} if rest and self.options.allow_attributes else found

    @cached_property
    def category_ids(self) -> npt.NDArray[np.int64]:
        """The id of each label: those of the source, if all have one of their own; else from 1 on."""
        numbers = [_integer(item.id, -1) for item in self._labels]
        known = all(item.id is not None and (number >= 0 or isinstance(item.id, int))
                    for item, number in zip(self._labels, numbers, strict=True))  # fmt: skip
        if not known or len(set(numbers)) < len(numbers) or self.options.reindex:
            numbers = list(range(1, len(numbers) + 1))
        return np.array(numbers, np.int64)

    @property
    def _labels(self) -> list[Any]:
        labels = self.tables.categories.get(AnnotationType.label)
        return labels.items if isinstance(labels, LabelCategories) else []

    def categories(self, task: str) -> list[dict[str, Any]]:
        """The records of the categories."""
        records: list[dict[str, Any]] = [
            {"id": number, "name": item.name, "supercategory": item.parent, **item.extra}
            for number, item in zip(self.category_ids.tolist(), self._labels, strict=True)
        ]
        points = self.tables.categories.get(AnnotationType.points)
        if task == "person_keypoints" and isinstance(points, PointsCategories):
            for label, category in points.items.items():
                records[label]["keypoints"] = list(category.labels)
                records[label]["skeleton"] = [[a + 1, b + 1] for a, b in sorted(category.joints)]
        return records

    def _table(self, task: str) -> pa.Table:
        """The annotations of a task."""
        if TYPES.get(task) == REGIONS:
            return self.regions
        wanted = np.flatnonzero(np.isin(self.types, NEEDED.get(task, ())))
        return self.tables.annotations.take(wanted)

    def _blocks(self, table: pa.Table) -> Iterator[tuple[int, int]]:
        """First and last row + 1 of blocks of a few annotations; those of an item are in one block."""
        items = integers(table, "item")
        start = 0
        while start < len(items):
            stop = min(start + BLOCK, len(items))
            if stop < len(items):
                stop = int(np.searchsorted(items, items[stop - 1], side="right"))
            yield start, stop
            start = stop

    def _columns(
        self, block: pa.Table, task: str, ids: npt.NDArray[np.int64]
    ) -> dict[str, JSONColumn | bytes]:
        columns: dict[str, JSONColumn | bytes] = {
            "id": json_column("int", ids), **self.references(block)
        }  # fmt: skip
        if TYPES.get(task) == REGIONS:
            columns |= self._regions(block, task)
        elif task == "person_keypoints":
            shapes, rows = self._shapes_of(block)
            columns |= self._regions(shapes, task) | keypoint_columns(block) | {"bbox": boxes_column(block)}
            crowd = np.where(rows < 0, integers(block, "crowd"), integers(shapes, "crowd"))
            columns["iscrowd"] = json_column("int", (crowd == 1).astype(np.int64))
        elif task == "captions":
            columns["caption"] = bytes_column("string", block.column("text").to_pylist())
        scores, attributes = scores_and_attributes(block)
        if not np.isnan(scores).all():
            columns["score"] = json_column("number", scores, states=states(~np.isnan(scores)))
        if self.options.allow_attributes and any(attributes):
            columns["attributes"] = bytes_column("raw", attributes)
        return columns

    def references(self, block: pa.Table) -> dict[str, JSONColumn | bytes]:
        """The ids of image and category of some annotations."""
        labels = integers(block, "label", -1)
        numbers = self.category_ids[labels] if len(self.category_ids) else labels
        return {
            "image_id": json_column("int", self.image_ids[integers(block, "item")]),
            "category_id": json_column("int", numbers, states=states(labels >= 0)),
        }

    def _annotation_ids(self, task: str, table: pa.Table) -> npt.NDArray[np.int64]:
        """The id of each annotation of a task: its own, if all have one from 1 on; else their number.

        Points have that of their shape.
        """
        ids = integers(table, "id").astype(np.int64)
        unique = len(np.unique(ids)) == len(ids)
        keep = not self.options.reindex and unique and bool((ids > 0).all())
        if task == "person_keypoints" and self.regions.num_rows:
            shapes = self._rows_of_shapes(table)
            taken = self._annotation_ids("instances", self.regions)
            free = shapes < 0
            if not keep or np.isin(ids[free], taken).any():
                ids = int(taken.max()) + 1 + np.arange(len(ids))
            return np.where(free, ids, taken[shapes])
        return ids if keep else np.arange(1, table.num_rows + 1)

    def _regions(self, block: pa.Table, task: str) -> dict[str, JSONColumn | bytes]:
        mode = "mask" if task == "stuff" else self.options.segmentation_mode
        shapes = Shapes(block, self.sizes, mode)
        cropped = shapes.cropped() if self.options.crop_covered else {}
        area = floats(block, "area").copy()
        area[list(cropped)] = [masks.area(rle) for rle in cropped.values()]
        return {
            "segmentation": shapes.column(cropped),
            "area": json_column("number", area, states=states(~np.isnan(area))),
            "bbox": boxes_column(block),
            "iscrowd": json_column("int", (integers(block, "crowd") == 1).astype(np.int64)),
        }

    def _shapes_of(self, points: pa.Table) -> tuple[pa.Table, npt.NDArray[np.int64]]:
        """The shape of each of some points, a row of nulls for none; and its row in ``regions``, -1 for none."""
        import pyarrow as pa

        rows = self._rows_of_shapes(points)
        return self.regions.take(pa.array(rows, mask=rows < 0)), rows

    def _rows_of_shapes(self, points: pa.Table) -> npt.NDArray[np.int64]:
        """The row in ``regions`` of the shape that is in the group of each of some points, -1 for none."""
        keys = zip(integers(points, "item").tolist(), integers(points, "group").tolist(), strict=True)
        return np.array([self._grouped.get(key, -1) for key in keys], np.int64)

    @cached_property
    def _grouped(self) -> dict[tuple[int, int], int]:
        """The first row in ``regions`` of each item and group."""
        items, groups = integers(self.regions, "item"), integers(self.regions, "group")
        rows = np.flatnonzero(groups != 0)[::-1]
        return dict(
            zip(zip(items[rows].tolist(), groups[rows].tolist(), strict=True), rows.tolist(), strict=True)
        )


def _integer(value: Any, default: int = 0) -> int:
    """An id that is an integer, or a text of digits."""
    if isinstance(value, str):
        return integer_of(value, default)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
