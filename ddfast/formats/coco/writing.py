"""Writes tables as COCO's annotation files."""

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
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.parts import part_starts
from ddfast.annotated.tables import Tables, codes, floats, integers, lists
from ddfast.tools.json_columns import MISSING, OTHER, PRESENT, JSONColumn, JSONRecords, json_column

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.coco.options import CocoWriteOptions

# Annotations that are turned into text at a time.
BLOCK = 1 << 15

REGIONS = ("polygon", "bbox", "mask")
TYPES = {
    "instances": REGIONS,
    "person_keypoints": ("points",),
    "captions": ("caption",),
    "labels": ("label",),
}


def write(
    tables: Tables,
    output: OutputFolder,
    options: CocoWriteOptions,
    report: Report,
    media: bool,
    tasks: Sequence[str],
) -> None:
    """Write a file for each subset and each task that there are annotations for, and the images."""
    report.counts["items"] += tables.items.num_rows
    names = file_names(tables, options.image_ext)
    numbers, subsets = codes(tables.items, "subset")
    for code, subset in enumerate(subsets):
        rows = np.flatnonzero(numbers == code)
        if not len(rows):
            continue
        part = Subset(tables.take_items(rows), [names[row] for row in rows], options)
        for task in part.tasks(_chosen(tasks, options.tasks)):
            with output.open(f"annotations/{task}_{subset}.json") as file:
                part.write(file, task, report)
        if media:
            folder = "images" if options.merge_images else f"images/{subset}"
            save_images(tables, rows.tolist(), [f"{folder}/{names[row]}" for row in rows], output, report)


def _chosen(tasks: Sequence[str], asked: Any) -> list[str]:
    wanted = asked.split(",") if isinstance(asked, str) else asked
    return [task for task in tasks if wanted is None or task in wanted]


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
        found = [task for task in tasks if set(TYPES.get(task, ())) & present]
        return found or ["instances" if "instances" in tasks else tasks[0]]

    @cached_property
    def types(self) -> npt.NDArray[Any]:
        """Type of each annotation."""
        numbers, names = codes(self.tables.annotations, "type")
        return np.array(names or [""], object)[numbers]

    @cached_property
    def image_ids(self) -> npt.NDArray[np.int64]:
        """The id of each image: that of the source, if all have one of their own from 1 on; else their number."""
        count = self.tables.items.num_rows
        found = [] if self.options.reindex else _ids_of_items(self.tables.items)
        if len(found) == count == len(set(found)) and all(number > 0 for number in found):
            return np.array(found, np.int64)
        return np.arange(1, count + 1)

    def write(self, file: BinaryIO, task: str, report: Report) -> None:
        """Write the file of a task."""
        labels, ids = self._categories(task)
        file.write(
            b'{"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"description": ""},\n"categories": '
        )
        file.write(json.dumps(labels, ensure_ascii=False).encode())
        file.write(b',\n"images": [\n')
        file.writelines(self._images())
        file.write(b'],\n"annotations": [\n')
        first = 1
        for block in self._blocks(task):
            if block.num_rows:
                file.write(b",\n" if first > 1 else b"")
                file.writelines(self._records(block, task, ids, first))
                first += block.num_rows
        file.write(b"]}\n")
        report.counts["annotations"] += first - 1

    def _images(self) -> Iterator[bytes]:
        items = self.tables.items
        yield from JSONRecords(
            {
                "id": json_column("int", self.image_ids),
                "width": _integer_column(items, "width", 0),
                "height": _integer_column(items, "height", 0),
                "file_name": _text_column(self.names),
                "license": b"0",
                "flickr_url": b'""',
                "coco_url": b'""',
                "date_captured": b"0",
            },
            items.num_rows,
        )

    def _categories(self, task: str) -> tuple[list[dict[str, Any]], npt.NDArray[np.int64]]:
        """The records of the categories, and the id of each label."""
        labels = self.tables.categories.get(AnnotationType.label)
        items = labels.items if isinstance(labels, LabelCategories) else []
        given = [item.id for item in items]
        numbers = [number for number in given if isinstance(number, int)]
        if len(numbers) < len(given) or len(set(numbers)) < len(numbers) or self.options.reindex:
            numbers = list(range(1, len(items) + 1))
        records: list[dict[str, Any]] = [
            {"id": number, "name": item.name, "supercategory": item.parent}
            for number, item in zip(numbers, items, strict=True)
        ]
        points = self.tables.categories.get(AnnotationType.points)
        if task == "person_keypoints" and isinstance(points, PointsCategories):
            for label, category in points.items.items():
                records[label]["keypoints"] = list(category.labels)
                records[label]["skeleton"] = [[a + 1, b + 1] for a, b in sorted(category.joints)]
        return records, np.array(numbers, np.int64)

    def _blocks(self, task: str) -> Iterator[pa.Table]:
        """The annotations of a task, a few at a time."""
        wanted = np.flatnonzero(np.isin(self.types, TYPES.get(task, ())))
        for start in range(0, len(wanted), BLOCK):
            yield self.tables.annotations.take(wanted[start : start + BLOCK])

    def _records(
        self, block: pa.Table, task: str, category_ids: npt.NDArray[np.int64], first: int
    ) -> Iterator[bytes]:
        labels = integers(block, "label", -1)
        columns: dict[str, JSONColumn | bytes] = {
            "id": json_column("int", self._annotation_ids(block, first)),
            "image_id": json_column("int", self.image_ids[integers(block, "item")]),
            "category_id": json_column(
                "int", category_ids[labels] if len(category_ids) else labels, states=_states(labels >= 0)
            ),
        }
        if task == "instances":
            columns |= self._regions(block)
        elif task == "person_keypoints":
            columns |= self._regions(self._shapes_of(block)) | _keypoints(block) | {"bbox": _boxes(block)}
        elif task == "captions":
            columns["caption"] = _text_column(block.column("text").to_pylist())
        if "score" in block.column_names:
            scores = floats(block, "score")
            columns["score"] = json_column("number", scores, states=_states(~np.isnan(scores)))
        if self.options.allow_attributes and "attributes" in block.column_names:
            columns["attributes"] = _raw_column(block.column("attributes").to_pylist())
        yield from JSONRecords(columns, block.num_rows)

    def _annotation_ids(self, block: pa.Table, first: int) -> npt.NDArray[np.int64]:
        if self._keeps_ids:
            return integers(block, "id")
        return np.arange(first, first + block.num_rows)

    @cached_property
    def _keeps_ids(self) -> bool:
        """Whether all annotations have an id of their own, from 1 on."""
        ids = integers(self.tables.annotations, "id")
        return not self.options.reindex and bool((ids > 0).all()) and len(np.unique(ids)) == len(ids)

    def _regions(self, block: pa.Table) -> dict[str, JSONColumn | bytes]:
        area = floats(block, "area")
        return {
            "segmentation": self._segmentation(block),
            "area": json_column("number", area, states=_states(~np.isnan(area))),
            "bbox": _boxes(block),
            "iscrowd": json_column("int", (integers(block, "crowd") == 1).astype(np.int64)),
        }

    def _shapes_of(self, points: pa.Table) -> pa.Table:
        """The shape in the same group as each of some points, or the points themselves."""
        import pyarrow as pa

        rows = [
            self._grouped_shapes.get(key, -1)
            for key in zip(integers(points, "item").tolist(), integers(points, "group").tolist(), strict=True)
        ]
        return self.tables.annotations.take(pa.array(np.array(rows, np.int64), mask=np.array(rows) < 0))

    @cached_property
    def _grouped_shapes(self) -> dict[tuple[int, int], int]:
        """The first shape of each item and group."""
        items, groups = self.tables.item_rows, integers(self.tables.annotations, "group")
        rows = np.flatnonzero((groups != 0) & np.isin(self.types, REGIONS))[::-1]
        return dict(
            zip(zip(items[rows].tolist(), groups[rows].tolist(), strict=True), rows.tolist(), strict=True)
        )

    def _segmentation(self, block: pa.Table) -> JSONColumn:
        """Polygons as lists of coordinates; masks, and all crowds, as RLE."""
        types, names = codes(block, "type")
        kinds = np.array(names, object)[types]
        values, offsets = lists(block, "points")
        starts, part_offsets = part_starts(block, offsets)
        mode = self.options.segmentation_mode
        crowd = integers(block, "crowd") == 1
        as_mask = (kinds == "mask") | ((kinds == "polygon") & (crowd | (mode == "mask")))
        if mode == "polygons":
            as_mask &= kinds == "mask"
        rows = np.flatnonzero(as_mask)
        sizes = self._mask_sizes(block)[rows].tolist()
        ends = np.append(starts, offsets[-1])
        texts = []
        for row, size in zip(rows.tolist(), sizes, strict=True):
            if kinds[row] == "mask":
                texts.append(rle_text({"size": size, "counts": block.column("mask")[row].as_py()}))
            else:
                parts = range(part_offsets[row], part_offsets[row + 1])
                polygons = [values[ends[part] : ends[part + 1]] for part in parts]
                texts.append(rle_text(masks.from_polygons(polygons, *size)))
        states = np.full(block.num_rows, PRESENT, np.uint8)
        states[rows] = OTHER
        column = json_column("segments", values, offsets=part_offsets, parts=ends, states=states)
        places = np.cumsum([0, *map(len, texts)]).astype(np.int32)
        other = np.frombuffer(b"".join(texts), np.uint8)
        return column._replace(other_rows=rows.astype(np.int32), other_offsets=places, other=other)

    def _mask_sizes(self, block: pa.Table) -> npt.NDArray[np.int64]:
        """Height and width of the mask of each annotation: its own, or those of its item."""
        items = integers(block, "item")
        sizes = []
        for name in ("height", "width"):
            own = integers(block, f"mask_{name}", -1)
            sizes.append(np.where(own < 0, integers(self.tables.items, name)[items], own))
        return np.stack(sizes, axis=1).astype(np.int64)


def rle_text(rle: dict[str, Any]) -> bytes:
    """A mask as COCO writes crowds: the lengths of its runs as numbers."""
    return json.dumps({"counts": masks.counts_of(rle).tolist(), "size": list(rle["size"])}).encode()


def _boxes(block: pa.Table) -> JSONColumn:
    box = np.stack([floats(block, name) for name in ("x", "y", "width", "height")], axis=1)
    states = _states(~np.isnan(box[:, 0]))
    return json_column("numbers", box.reshape(-1), offsets=np.arange(0, box.size + 1, 4), states=states)


def _keypoints(block: pa.Table) -> dict[str, JSONColumn | bytes]:
    """Points as x, y, visibility, and how many are visible or hidden."""
    values = lists(block, "points")[0]
    visibility, starts = lists(block, "visibility")
    triples = np.concatenate([values.reshape(-1, 2), visibility.astype(np.float64)[:, None]], axis=1)
    shown = np.concatenate([[0], np.cumsum(visibility > 0)])
    return {
        "keypoints": json_column("numbers", triples.reshape(-1), offsets=starts * 3),
        "num_keypoints": json_column("int", shown[starts[1:]] - shown[starts[:-1]]),
    }


def _states(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.where(present, PRESENT, MISSING).astype(np.uint8)


def _integer_column(table: pa.Table, name: str, missing: int) -> JSONColumn:
    return json_column("int", integers(table, name, missing).astype(np.int64))


def _text_column(texts: Sequence[str | None]) -> JSONColumn:
    return _bytes_column("string", [None if text is None else text.encode() for text in texts])


def _raw_column(texts: Sequence[str | None]) -> JSONColumn:
    return _bytes_column("raw", [None if text is None else text.encode() for text in texts])


def _bytes_column(kind: Any, texts: Sequence[bytes | None]) -> JSONColumn:
    ends = np.cumsum([0, *(len(text or b"") for text in texts)])
    states = _states(np.array([text is not None for text in texts], bool))
    return json_column(kind, b"".join(text or b"" for text in texts), offsets=ends, states=states)


def _ids_of_items(items: pa.Table) -> list[int]:
    """The attribute ``id`` of items, of those that have an integer there."""
    if "attributes" not in items.column_names:
        return []
    found = [json.loads(text).get("id") if text else None for text in items.column("attributes").to_pylist()]
    return [number for number in found if isinstance(number, int)]
