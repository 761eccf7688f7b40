"""Reads COCO's annotation files into tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.tables import Tables, integers, with_column
from ddfast.formats.coco.ids import NONE, Lookup, TextIds
from ddfast.formats.coco.images import IMAGES, Items
from ddfast.formats.coco.labels import Labels
from ddfast.formats.coco.records import ANNOTATIONS, Records
from ddfast.tools.json_columns import JSONReader

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.coco.files import AnnotationFile

# Of columns of JSON at a time: two chunks are in memory beside the tables.
CHUNK_BYTES = 4 << 20


class CocoTables:
    """Collects the items and annotations of several files.

    Parameters:
        source: the folder.
        report: for problems, notes and progress.
        extra: whether members of images that the model does not know become attributes.
        record: what messages call a record of annotations.
    """

    def __init__(
        self,
        source: SourceFolder,
        report: Report,
        extra: bool = False,
        record: str = "record {} of annotations",
    ) -> None:
        self.record = record
        self.source = source
        self.report = report
        self.items = Items(source, report, extra)
        self.labels = Labels(report)
        self.parts: list[FileAnnotations] = []

    def read(self, file: AnnotationFile) -> None:
        """Read one file."""
        path = self.source.path(file.name)
        texts = TextIds()
        records, images = Records(texts), Lookup(texts)
        with path.open("rb") as stream:
            schemas = {"images": IMAGES, "annotations": ANNOTATIONS}
            reader = JSONReader(
                stream.fileno(), schemas, extra=True, name=os.fspath(path), chunk_bytes=CHUNK_BYTES
            )
            for table in reader:
                if table.name == "images":
                    self.items.add(table, file, images, texts, partial(self.problem, path))
                else:
                    records.add(table, partial(self.problem_of_record, path, table.first))
                self.report.advance(stream.tell(), os.fstat(stream.fileno()).st_size)
        labels = self.labels.add(reader.rest.get("categories"), texts, partial(self.problem, path))
        for number in images.repeated():
            self.report.notes.append(
                f"{path}: several images have the id {texts.shown(number)}; its annotations are those of the first"
            )
        self.parts.append(FileAnnotations(file.task, self.resolved(records, images, labels, path)))

    def problem(self, path: Path, place: str, text: str) -> None:
        """Report something that makes no sense."""
        self.report.problem(text, path, place)

    def problem_of_record(self, path: Path, first: int, row: int, name: str, text: str) -> None:
        """Report a field of a record of annotations that makes no sense."""
        self.report.problem(text, path, self.record.format(first + row), name)

    def resolved(self, records: Records, images: Lookup, labels: Lookup, path: Path) -> pa.Table:
        """The annotations of a file with their items and labels, without those whose image or category is unknown.

        They are in the order of their items, and then in that of the file.
        """
        if not len(records.builder):
            return records.builder.finish()
        items, label, numbers = self._references(records, images, labels, path)
        rows = np.lexsort((numbers, items))
        rows = rows[(items >= 0)[rows]]
        items, label, numbers = items[rows], label[rows], numbers[rows]
        annotations = with_column(records.builder.finish(rows), "item", items)
        annotations = _with_own_groups(annotations, numbers)
        self._note_zeros(annotations, path)
        return with_column(annotations, "label", _masked(label, label < 0))

    def _references(
        self, records: Records, images: Lookup, labels: Lookup, path: Path
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Item, label and number of each record; the item is -1 if there is no such image or category."""
        image_ids, category_ids, numbers = records.take_ids()
        items = images.of(image_ids).astype(np.int32)
        label = labels.of(category_ids).astype(np.int32)
        # Exporters write 0 for "no category"; where there is a category 0, it is found.
        zero = (label < 0) & (category_ids == 0)
        if len(labels) and zero.any():
            self.report.notes.append(
                f"{path}: {int(zero.sum()):,} annotations have the category 0, which does not exist: they have no label"
            )
        shown = records.texts.shown
        for row in np.flatnonzero(items < 0).tolist():
            text = f"there is no image {shown(int(image_ids[row]))}"
            self.problem_of_record(path, 0, int(numbers[row]), "image_id", text)
        for row in np.flatnonzero((items >= 0) & (label < 0) & (category_ids != NONE) & ~zero).tolist():
            text = f"there is no category {shown(int(category_ids[row]))}"
            self.problem_of_record(path, 0, int(numbers[row]), "category_id", text)
            items[row] = -1
        return items, label, numbers

    def _note_zeros(self, annotations: pa.Table, path: Path) -> None:
        if "id" in annotations.column_names and bool((integers(annotations, "id", 1) == 0).any()):
            self.report.notes.append(
                f"{path}: an annotation has the id 0, which evaluation takes for no match; exports number from 1"
            )

    def finish(self) -> Tables:
        """The tables of all files."""
        items = self.items.finish()
        annotations = TableBuilder.of_annotations()
        parts, self.parts = _without_repetitions(self.parts), []
        categories = self.labels.categories()
        if len(parts) == 1:
            return Tables.of(items, parts[0].annotations, categories)
        for part in parts:
            annotations.add_table(part.annotations)
        return Tables.of(items, annotations.finish(), categories)


@dataclass(frozen=True)
class FileAnnotations:
    """The annotations of one file.

    Attributes:
        task: of the file.
        annotations: their table.
    """

    task: str
    annotations: pa.Table


def _with_own_groups(annotations: pa.Table, numbers: npt.NDArray[np.int64]) -> pa.Table:
    """Groups that are one record each: where ids are repeated, or texts, they get numbers after all others.

    Parameters:
        annotations: with the column ``group``, or without.
        numbers: of the record of each.
    """
    if "group" not in annotations.column_names:
        return annotations
    groups = integers(annotations, "group").astype(np.int64)
    present = annotations.column("group").is_valid().to_numpy()
    rows = np.flatnonzero(present)
    _, first, of_row = np.unique(numbers[rows], return_index=True, return_inverse=True)
    names = groups[rows][first]
    _, counts = np.unique(names, return_counts=True)
    order = np.unique(names, return_inverse=True)[1]
    wrong = (counts[order] > 1) | (names <= 0)
    if not wrong.any():
        return annotations
    new = max(int(groups.max()), 0) + 1
    names[wrong] = new + np.arange(int(wrong.sum()))
    groups[rows] = names[of_row]
    return with_column(annotations, "group", _masked(groups, ~present))


def _without_repetitions(parts: Sequence[FileAnnotations]) -> list[FileAnnotations]:
    """The annotations of all files, without the objects of instances that are in a file of keypoints, too."""
    twice = [
        part.annotations for part in parts if part.task == "person_keypoints" and part.annotations.num_rows
    ]
    if not twice:
        return list(parts)
    known = set().union(*map(_shapes, twice)) - {None}
    return [
        FileAnnotations(
            part.task, part.annotations.filter([shape not in known for shape in _shapes(part.annotations)])
        )
        if part.task == "instances" and part.annotations.num_rows
        else part
        for part in parts
    ]


def _shapes(table: pa.Table) -> list[tuple[int, int, str] | None]:
    """Item, id and type of each annotation; None for points, and for annotations without an id."""
    if "id" not in table.column_names:
        return [None] * int(table.num_rows)
    columns = (table.column(name).to_pylist() for name in ("item", "id", "type"))
    return [
        None if number is None or kind == "points" else (item, number, kind)
        for item, number, kind in zip(*columns, strict=True)
    ]


def _masked(values: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None) -> Any:
    import pyarrow as pa

    return pa.array(values, mask=mask)
