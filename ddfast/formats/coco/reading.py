"""Reads COCO's annotation files into tables."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.json_values import strings
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.paths import inner_path, item_id
from ddfast.annotated.source_folder import ImageFinder
from ddfast.annotated.tables import Tables, with_column
from ddfast.errors import CategoriesError, EscapingPathError, FormatError
from ddfast.formats.coco.records import ANNOTATIONS, IMAGES, NO_CATEGORY, Records
from ddfast.tools.json_columns import PRESENT, JSONReader

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.tools.json_columns import JSONTable

TASKS = ("image_info", "instances", "person_keypoints", "captions", "labels", "stuff", "panoptic")

FILE_NAME = re.compile(rf"(?P<task>{'|'.join(TASKS)})_(?P<subset>.+)\.json", re.IGNORECASE)

# A name as those of Roboflow, FiftyOne and others: the folder says which subset it is.
ANONYMOUS = re.compile(r"_?annotations(\.coco)?\.json|coco\.json|labels\.json|instances\.json", re.IGNORECASE)

HEAD = re.compile(rb'[{,]\s*"(images|annotations|categories|info|licenses)"\s*:')

# Members of files of Datumaro's own format, which has annotations and categories, too.
OTHER_FORMAT = re.compile(rb'"dm_format_version"\s*:|"categories"\s*:\s*\{')


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """An annotation file of a dataset.

    Attributes:
        name: relative path.
        task: one of ``TASKS``.
        subset: name of the subset.
    """

    name: str
    task: str
    subset: str


def annotation_files(source: SourceFolder, tasks: Sequence[str]) -> list[AnnotationFile]:
    """The annotation files of a folder that belong to some tasks."""
    found = []
    for name in source.candidates(".json"):
        head = source.head(name)
        if not HEAD.search(head) or OTHER_FORMAT.search(head):
            continue
        file = _file_of(name)
        if file.task in tasks or (source.chosen is not None and len(tasks) == 1):
            found.append(file)
    return found


def _file_of(name: str) -> AnnotationFile:
    folder, _, base = name.rpartition("/")
    match = FILE_NAME.fullmatch(base)
    if match:
        return AnnotationFile(name, match["task"].lower(), match["subset"])
    if ANONYMOUS.fullmatch(base):
        parts = [part for part in folder.split("/") if part.lower() not in ("", "annotations", "labels")]
        return AnnotationFile(name, "instances", parts[-1] if parts else "default")
    return AnnotationFile(name, "instances", base[: -len(".json")])


class CocoTables:
    """Collects the items and annotations of several files.

    Parameters:
        source: the folder.
        report: for problems and progress.
    """

    def __init__(self, source: SourceFolder, report: Report) -> None:
        self._source = source
        self._report = report
        self._items: dict[tuple[str, str], int] = {}
        self._columns: dict[str, list[Any]] = {
            name: [] for name in ("id", "subset", "kind", "place", "path", "height", "width", "attributes")
        }
        self._parts: list[Part] = []
        self._labels = Labels()
        self._finder: ImageFinder | None = None

    def read(self, file: AnnotationFile) -> None:
        """Read one file."""
        path = self._source.path(file.name)
        records, images = Records(), Images()
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            reader = JSONReader(
                stream.fileno(), {"images": IMAGES, "annotations": ANNOTATIONS}, name=os.fspath(path)
            )
            for table in reader:
                if table.name == "images":
                    self._read_images(table, file, images)
                else:
                    records.add(table, partial(self._problem_in, path, table.first))
                self._report.advance(stream.tell(), size)
        labels = self._labels.add(reader.rest.get("categories"), os.fspath(path))
        self._parts.append(self._resolved(file.task, records, images, labels, path))

    def _problem_in(self, path: Any, first: int, row: int, name: str, text: str) -> None:
        self._problem(path, first + row, name, text)

    def _problem(self, path: Any, number: int, name: str, text: str) -> None:
        self._report.problem(text, path, f"record {number} of annotations", name)

    def _read_images(self, table: JSONTable, file: AnnotationFile, images: Images) -> None:
        ids, names = table.columns["id"], strings(table.columns["file_name"]).to_pylist()
        sizes = [_sizes(table, name) for name in ("height", "width")]
        finder = self._finder_of(file)
        rows = np.full(table.rows, -1, np.int64)
        known = (ids.states == PRESENT).tolist()
        for row, (number, name, height, width) in enumerate(
            zip(ids.values.tolist(), names, *sizes, strict=True)
        ):
            if not known[row] or not name:
                self._report.problem(
                    "it needs an id, which is an integer, and a file name",
                    self._source.path(file.name), f"record {table.first + row} of images",
                )  # fmt: skip
                continue
            rows[row] = self._item(file, finder, number, name, height, width)
        good = rows >= 0
        images.add(ids.values[good], rows[good])

    def _item(
        self,
        file: AnnotationFile,
        finder: ImageFinder,
        number: int,
        name: str,
        height: int | None,
        width: int | None,
    ) -> int:
        """The row of an item, which is added if no earlier file has it."""
        path = self._inner(name)
        key = (file.subset, item_id(path))
        row = self._items.get(key)
        columns = self._columns
        if row is None:
            row = self._items[key] = len(self._items)
            place, found = finder.find(path) or (None, path)
            values = (key[1], key[0], "image", place, found, height, width, f'{{"id": {number}}}')
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
        elif columns["height"][row] is None:
            columns["height"][row], columns["width"][row] = height, width
        return row

    @staticmethod
    def _inner(name: str) -> str:
        try:
            return inner_path(name)
        except EscapingPathError:
            return inner_path(name.replace("\\", "/").rpartition("/")[2])

    def _finder_of(self, file: AnnotationFile) -> ImageFinder:
        folder = file.name.rpartition("/")[0]
        plain = re.sub(r"\d+$", "", file.subset)
        folders = [
            f"images/{file.subset}", f"{file.subset}/images", file.subset, f"images/{plain}", plain,
            folder, f"{folder}/images", "images", "data", "",
        ]  # fmt: skip
        return ImageFinder(self._source, folders)

    def _resolved(
        self, task: str, records: Records, images: Images, labels: Labels.Numbers, path: Any
    ) -> Part:
        """The annotations of a file with their items and labels, without those whose image or category is unknown.

        They are in the order of their items, and then in that of the file.
        """
        if not len(records.builder):
            return Part(task, records.builder.finish())
        numbers = np.concatenate(records.numbers)
        image_ids, category_ids = np.concatenate(records.image_ids), np.concatenate(records.category_ids)
        items = images.rows_of(image_ids)
        label, known = labels.of(category_ids)
        for row in np.flatnonzero(items < 0).tolist():
            self._problem(path, int(numbers[row]), "image_id", f"there is no image {image_ids[row]}")
        for row in np.flatnonzero((items >= 0) & ~known).tolist():
            self._problem(path, int(numbers[row]), "category_id", f"there is no category {category_ids[row]}")
        rows = np.lexsort((numbers, items))
        rows = rows[(items >= 0)[rows] & known[rows]]
        label = label[rows].astype(np.int32)
        annotations = with_column(records.builder.finish(rows), "item", items[rows].astype(np.int32))
        return Part(task, with_column(annotations, "label", _masked(label, label < 0)))

    def finish(self) -> Tables:
        """The tables of all files."""
        items = TableBuilder.of_items()
        items.add(len(self._items), **self._columns)
        annotations = TableBuilder.of_annotations()
        parts, self._parts = _without_repetitions(self._parts), []
        categories = self._labels.categories()
        if len(parts) == 1:
            return Tables.of(items.finish(), parts[0].annotations, categories)
        for part in parts:
            annotations.add_table(part.annotations)
        return Tables.of(items.finish(), annotations.finish(), categories)


@dataclass(frozen=True)
class Part:
    """The annotations of one file.

    Attributes:
        task: of the file.
        annotations: their table.
    """

    task: str
    annotations: pa.Table


def _without_repetitions(parts: Sequence[Part]) -> list[Part]:
    """The annotations of all files, without the objects of instances that are in a file of keypoints, too."""
    twice = [
        part.annotations for part in parts if part.task == "person_keypoints" and part.annotations.num_rows
    ]
    if not twice:
        return list(parts)
    known = set().union(*map(_shapes, twice)) - {None}
    return [
        Part(part.task, part.annotations.filter([shape not in known for shape in _shapes(part.annotations)]))
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


def _sizes(table: JSONTable, name: str) -> list[int | None]:
    """Heights or widths of images; None where there is none, or none that makes sense."""
    column = table.columns[name]
    good = (column.states == PRESENT) & (column.values > 0) & (column.values < 2**31)
    return [
        value if known else None for value, known in zip(column.values.tolist(), good.tolist(), strict=True)
    ]


def _masked(values: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None) -> Any:
    import pyarrow as pa

    return pa.array(values, mask=mask)


@dataclass
class Images:
    """Rows of the items of a file by the id of their image."""

    ids: list[npt.NDArray[np.int64]] = field(default_factory=list)
    rows: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def add(self, ids: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> None:
        """Add images."""
        self.ids.append(ids)
        self.rows.append(rows)

    def rows_of(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The row of each id, -1 if there is no such image; of images with equal ids, the first."""
        known = np.concatenate([*self.ids, np.empty(0, np.int64)])
        rows = np.concatenate([*self.rows, np.empty(0, np.int64)])
        return lookup(known, rows, ids)


def lookup(
    known: npt.NDArray[np.int64], values: npt.NDArray[np.int64], asked: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The value of each number asked for, -1 for those that are not known."""
    if not len(known):
        return np.full(len(asked), -1, np.int64)
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known, asked, sorter=order), len(known) - 1)
    found = order[places]
    return np.where(known[found] == asked, values[found], -1)


class Labels:
    """The categories of all files, in the order of the first one."""

    @dataclass(frozen=True)
    class Numbers:
        """Labels by id of category, of one file."""

        ids: npt.NDArray[np.int64]
        labels: npt.NDArray[np.int64]

        def of(self, ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
            """The label of each id, -1 for none, and whether it is known or absent."""
            found = lookup(self.ids, self.labels, ids)
            return found, (found >= 0) | (ids == NO_CATEGORY)

    def __init__(self) -> None:
        self._labels = LabelCategories()
        self._points = PointsCategories()
        self._numbers: dict[tuple[str, str, Any], int] = {}

    def add(self, text: bytes | None, path: str) -> Labels.Numbers:
        """Add the categories of a file.

        Raises:
            FormatError: they make no sense.
        """
        try:
            entries = json.loads(text) if text else []
            pairs = [self._add(entry) for entry in entries or []]
        except (KeyError, TypeError, AttributeError, CategoriesError) as error:
            raise FormatError(
                f"{path}, categories: {error!r} makes no sense; each needs an id and a name"
            ) from error
        return Labels.Numbers(
            np.array([one for one, _ in pairs], np.int64), np.array([label for _, label in pairs], np.int64)
        )

    def _add(self, entry: dict[str, Any]) -> tuple[int, int]:
        number, name, parent = int(entry["id"]), str(entry["name"]), entry.get("supercategory") or ""
        key = (name, parent, None)
        if key not in self._numbers:
            self._numbers[key] = self._labels.add(name, parent, id=number)
        label = self._numbers[key]
        if entry.get("keypoints") and label not in self._points:
            joints = {tuple(int(point) - 1 for point in joint) for joint in entry.get("skeleton") or ()}
            self._points.add(label, entry["keypoints"], joints)
        return number, label

    def categories(self) -> dict[AnnotationType, Categories]:
        """The categories of all files."""
        found: dict[AnnotationType, Categories] = {AnnotationType.label: self._labels}
        if len(self._points):
            found[AnnotationType.points] = self._points
        return found
