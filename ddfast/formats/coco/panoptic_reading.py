"""Reads COCO's panoptic segmentation: images of the numbers of segments, and what these are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.json_values import strings
from ddfast.annotated.pixels import decode
from ddfast.errors import EscapingPathError, MediaError
from ddfast.formats.coco.columns import json_text
from ddfast.formats.coco.ids import NONE, Lookup, TextIds, as_id
from ddfast.formats.coco.images import IMAGES
from ddfast.formats.coco.reading import CocoTables, FileAnnotations
from ddfast.formats.coco.records import Records
from ddfast.tools.json_columns import PRESENT, JSONReader

if TYPE_CHECKING:
    from ddfast.formats.coco.files import AnnotationFile
    from ddfast.tools.json_columns import JSONTable

SEGMENTS: dict[str, Any] = {"image_id": "int", "file_name": "string", "segments_info": "raw"}

Problem = Callable[[int, str, str], None]
"""Called with the number of a record of annotations, the field, and what is wrong."""


def read_panoptic(tables: CocoTables, file: AnnotationFile) -> None:
    """Add the images and segments of a file, whose images lie in the folder of its name without ``.json``.

    Parameters:
        tables: where to.
        file: the annotation file.
    """
    path = tables.source.path(file.name)
    texts = TextIds()
    records, images = Records(texts), Lookup(texts)
    segments = SegmentReader(tables, file, records, partial(tables.problem_of_record, path, 0))
    with path.open("rb") as stream:
        reader = JSONReader(
            stream.fileno(), {"images": IMAGES, "annotations": SEGMENTS}, extra=True, name=os.fspath(path)
        )
        for table in reader:
            if table.name == "images":
                tables.items.add(table, file, images, texts, partial(tables.problem, path))
            else:
                segments.add(table)
            tables.report.advance(stream.tell(), os.fstat(stream.fileno()).st_size)
    labels = tables.labels.add(reader.rest.get("categories"), texts, partial(tables.problem, path))
    tables.parts.append(FileAnnotations(file.task, tables.resolved(records, images, labels, path)))
    if segments.unknown:
        tables.report.notes.append(
            f"{path}: {segments.unknown:,} segments of images are not in segments_info, and were left out"
        )


class SegmentReader:
    """Collects the segments of a file.

    Parameters:
        tables: for the folder.
        file: the annotation file.
        records: gets the masks.
        problem: called with what makes no sense.

    Attributes:
        unknown: number of segments that images have and records do not.
    """

    def __init__(self, tables: CocoTables, file: AnnotationFile, records: Records, problem: Problem) -> None:
        self.source = tables.source
        self.folder = file.name[: -len(".json")]
        self.records = records
        self.problem = problem
        self.unknown = 0

    def add(self, table: JSONTable) -> None:
        """Add the records of a chunk, each of which is an image."""
        ids, wrong = self.records.texts.of(table.columns["image_id"])
        names = strings(table.columns["file_name"]).to_pylist()
        infos = strings(table.columns["segments_info"]).to_pylist()
        for row, (image_id, name, info) in enumerate(zip(ids.tolist(), names, infos, strict=True)):
            number = table.first + row
            if image_id == NONE:
                self.problem(number, "image_id", "it is not an integer" if wrong[row] else "it is missing")
            elif not name or table.columns["file_name"].states[row] != PRESENT:
                self.problem(number, "file_name", "it is missing")
            else:
                self._add_image(number, image_id, name, json.loads(info or "[]"))

    def _add_image(self, number: int, image_id: int, name: str, infos: Any) -> None:
        try:
            path = self.source.path(f"{self.folder}/{name}")
            found = masks_by_id(picture_ids(decode(os.fspath(path), os.fspath(path))))
        except (OSError, MediaError, EscapingPathError) as error:
            self.problem(number, "file_name", str(error))
            return
        rows = []
        for info in infos if isinstance(infos, list) else [None]:
            try:
                rows.append(self._row(info, found, path))
            except ValueError as error:
                self.problem(number, "segments_info", str(error))
        self.unknown += len(found)
        if not rows:
            return
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        self.records.category_ids.append(np.array(columns.pop("category"), np.int64))
        self.records.builder.add(len(rows), type="mask", **columns)
        self.records.image_ids.append(np.full(len(rows), image_id, np.int64))
        self.records.numbers.append(np.full(len(rows), number, np.int64))

    def _row(self, info: Any, found: dict[int, dict[str, Any]], path: Path) -> dict[str, Any]:
        """The columns of a segment.

        Raises:
            ValueError: it makes no sense.
        """
        if not isinstance(info, Mapping) or not isinstance(info.get("id"), int):
            raise ValueError("each segment needs an id, which is an integer")
        number = info["id"]
        rle = found.pop(number, None)
        if rle is None:
            raise ValueError(f"segment {number} has no pixel in {path}")
        category = as_id(info.get("category_id"))
        if category is None and info.get("category_id") is not None:
            raise ValueError(f"category_id of segment {number} is not an integer")
        box = info.get("bbox") or masks.box(rle)
        if (
            not isinstance(box, list)
            or len(box) != 4
            or not all(isinstance(side, int | float) for side in box)
        ):
            raise ValueError(f"bbox of segment {number} is not a list of 4 numbers")
        area = info.get("area")
        crowd, attributes = info.get("iscrowd"), info.get("attributes")
        text = self.records.texts.number(category) if isinstance(category, str) else category
        return {
            "category": NONE if text is None else text,
            "id": number,
            **dict(zip(("x", "y", "width", "height"), map(float, box), strict=True)),
            "area": float(area) if isinstance(area, int | float) else float(masks.area(rle)),
            "crowd": None if crowd is None else bool(crowd),
            "mask": rle["counts"],
            "mask_height": rle["size"][0],
            "mask_width": rle["size"][1],
            "attributes": json_text(attributes) if attributes and isinstance(attributes, dict) else None,
        }


def picture_ids(pixels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The number of the segment of each pixel: red + 256 green + 65,536 blue, or the value of grey pixels.

    Parameters:
        pixels: blue, green, red; or grey.
    """
    if pixels.ndim == 2:
        return pixels.astype(np.int64)
    blue, green, red = (pixels[:, :, channel].astype(np.int64) for channel in range(3))
    numbers: npt.NDArray[np.int64] = red + (green << 8) + (blue << 16)
    return numbers


def masks_by_id(ids: npt.NDArray[np.int64]) -> dict[int, dict[str, Any]]:
    """The mask of each number but 0 in an array of shape (height, width)."""
    height, width = ids.shape
    flat = ids.T.reshape(-1)
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]])[: flat.size])
    stops = np.append(starts[1:], flat.size)
    values = flat[starts]
    order = np.argsort(values, kind="stable")
    numbers, first = np.unique(values[order], return_index=True)
    found = {}
    for number, runs in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
        if number:
            bounds = np.stack([starts[runs], stops[runs]], axis=1).reshape(-1)
            counts = np.diff(bounds, prepend=0, append=flat.size)
            found[number] = masks.from_counts(
                counts[:-1] if bounds[-1] == flat.size else counts, height, width
            )
    return found
