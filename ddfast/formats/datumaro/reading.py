"""Reads Datumaro's annotation files into tables."""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.json_values import strings
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.paths import image_extension, inner_path
from ddfast.annotated.source_folder import ImageFinder
from ddfast.annotated.tables import Tables
from ddfast.errors import CategoriesError, EscapingPathError, FormatError
from ddfast.formats.datumaro.categories import from_form
from ddfast.formats.datumaro.checks import offsets_of
from ddfast.formats.datumaro.owners import MARK, Owners
from ddfast.formats.datumaro.records import ANNOTATIONS, AnnotationColumns
from ddfast.tools.json_columns import PRESENT, JSONReader

if TYPE_CHECKING:
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.tools.json_columns import JSONColumn, JSONTable

ITEMS: Any = {
    "id": "string", "annotations": "raw", "attr": "raw", "image": "raw", "point_cloud": "raw", "video": "raw",
    "video_frame": "raw", "media": "raw", "status": "string", "related_images": "raw",
}  # fmt: skip

HEAD = re.compile(
    rb'\A(?:\xef\xbb\xbf)?\s*\{.*?(?:"dm_format_version"\s*:|"categories"\s*:\s*\{|"items"\s*:\s*\[\s*\{\s*"id")',
    re.DOTALL,
)

# Where the files of a kind of media are, and the member of an item that names them.
FOLDERS = {"image": "images", "point_cloud": "point_clouds", "video": "videos"}

MAX_CATEGORIES = 1 << 26  # bytes

# Members of items that the tables have no place for, and what a user calls them.
WITHOUT_PLACE = {"related_images": "related images", "video_frame": "numbers of video frames"}


def annotation_files(source: SourceFolder) -> list[tuple[str, str]]:
    """Relative paths of the annotation files of a folder, and the subset of each."""
    return [(name, _subset(name)) for name in source.candidates(".json") if HEAD.match(source.head(name))]


def _subset(name: str) -> str:
    stem = name[: -len(".json")]
    _, found, inner = f"/{stem}".rpartition("/annotations/")
    return (inner if found else posixpath.basename(stem)) or DEFAULT_SUBSET


class DatumaroTables:
    """Collects the items and annotations of several files.

    Parameters:
        source: the folder.
        report: for problems and progress.
    """

    def __init__(self, source: SourceFolder, report: Report) -> None:
        self._source = source
        self._report = report
        self._files = set(source.files)
        self._items: dict[tuple[str, str], int] = {}
        names = ("id", "subset", "kind", "place", "path", "height", "width", "status", "attributes")
        self._columns: dict[str, list[Any]] = {name: [] for name in names}
        self._annotations = TableBuilder.of_annotations()
        self._order: list[npt.NDArray[np.int64]] = []
        self._owners: list[npt.NDArray[np.int64]] = []
        self._categories: dict[AnnotationType, Categories] = {}
        self._without_place: Counter[str] = Counter()
        self._count = 0

    def read(self, name: str, subset: str) -> None:
        """Read one file.

        Raises:
            FormatError: it has no items, or other categories than an earlier file.
        """
        path = os.fspath(self._source.path(name))
        file = SubsetFile(path, name, subset, self._finder(subset))
        found = False
        with Path(path).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            reader = self._reader(stream.fileno(), path, {"items": ITEMS})
            for table in reader:
                if not found:
                    file.labels = self._add_categories(reader, path)
                    found = True
                self._read_items(table, file)
                self._report.advance(stream.tell(), size)
            if not found:
                self._add_categories(reader, path)
            if not found and "items" in (*reader.rest, *reader.skipped):
                raise FormatError(f"{path}: the member 'items' is not a list")

    @staticmethod
    def _reader(source: int, path: str, schemas: Any) -> JSONReader:
        return JSONReader(source, schemas, name=path, max_rest_bytes=MAX_CATEGORIES)

    def _add_categories(self, reader: JSONReader, path: str) -> list[str] | None:
        """Add the categories of a file, and return the names of labels; None if it has no labels at all."""
        text = reader.rest.get("categories") or self._categories_behind_items(path)
        if text is None:
            raise FormatError(f"{path} has no categories")
        try:
            found = from_form(json.loads(text))
        except CategoriesError as error:
            raise FormatError(f"{path}: {error}") from error
        for kind, categories in found.items():
            known = self._categories.setdefault(kind, categories)
            if known != categories:
                raise FormatError(
                    f"{path} has other {kind.name} categories than the files before it. Import each file by itself"
                )
        labels = found.get(AnnotationType.label)
        return [label.name for label in labels] if isinstance(labels, LabelCategories) else None

    def _categories_behind_items(self, path: str) -> bytes | None:
        with Path(path).open("rb") as stream:
            reader = self._reader(stream.fileno(), path, {"items": {"id": "string"}})
            for _ in reader:
                pass
            return reader.rest.get("categories")

    def _finder(self, subset: str) -> ImageFinder:
        return ImageFinder(
            self._source, [f"images/{subset}", f"images/{subset.replace('/', '_')}", "images", ""]
        )

    def _read_items(self, table: JSONTable, file: SubsetFile) -> None:
        rows = np.array([self._add_item(item, file) for item in _items(table, file, self._report)], np.int64)
        for name in WITHOUT_PLACE:
            self._without_place[name] += int((table.columns[name].states == PRESENT).sum())
        inner: list[bytes] = []
        owners: list[int] = []
        column = table.columns["annotations"]
        text, ends = column.values.tobytes(), offsets_of(column).tolist()
        for number, row in enumerate(rows.tolist()):
            own = text[ends[number] : ends[number + 1]]
            if not own or row < 0:
                continue
            if not own.startswith(b"["):
                self._problem(file, f"item {self._columns['id'][row]!r}", "annotations", "it is not a list")
            elif content := own[1:-1].strip():
                inner.append(content)
                owners.append(row)
        if inner:
            document = b"[%b]" % MARK.join(inner)
            self._read_annotations(document, np.array(owners, np.int64), file)

    def _read_annotations(self, document: bytes, owners: npt.NDArray[np.int64], file: SubsetFile) -> None:
        """Read the annotations of several items, one list with a mark between two items."""
        ids = self._columns["id"]
        where = f"{file.path}, annotations of items {ids[owners[0]]!r} to {ids[owners[-1]]!r}"
        places = Owners(owners)

        def problem(row: int, field: str, message: str) -> None:
            owner, number = places.of(row)
            self._problem(file, f"annotation {number} of item {ids[owner]!r}", field, message)

        for table in JSONReader(document, {"": ANNOTATIONS}, name=where):
            chunk = AnnotationColumns(table, places.add(table), file.labels, problem)
            for rows, columns in chunk.shapes():
                owner = chunk.items[rows]
                self._annotations.add(len(rows), **chunk.common(rows), **columns)
                self._owners.append(owner.astype(np.int64))
                self._order.append(rows + self._count)
            self._count += table.rows

    def _problem(self, file: SubsetFile, place: str, field: str, message: str) -> None:
        self._report.problem(message, file.path, place, field)

    def _add_item(self, item: Item | None, file: SubsetFile) -> int:
        """The row of an item that was added; -1 if it makes no sense or is there already."""
        if item is None:
            return -1
        key = (file.subset, item.id)
        if key in self._items:
            self._problem(file, f"item {item.id!r}", "id", "an item before it has the same id")
            return -1
        row = self._items[key] = len(self._items)
        place, path = self._media(item, file)
        values = (item.id, file.subset, item.kind, place, path, *item.size, item.status, item.attributes)
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        return row

    def _media(self, item: Item, file: SubsetFile) -> tuple[str | None, str | None]:
        """Folder and relative path of the media of an item; no folder if there is no such file."""
        if item.kind is None:
            return None, None
        try:
            path = inner_path(item.path) if item.path else ""
        except EscapingPathError:  # Datumaro has full paths there if images were not copied
            path = ""
        if item.kind == "image":
            name = path or item.id + image_extension(item.path)
            return file.finder.find(name) or (None, path or item.id + (image_extension(item.path) or ".jpg"))
        folder = FOLDERS[item.kind]
        for place in (f"{folder}/{file.subset}", folder):
            if f"{place}/{path}" in self._files:
                return os.fspath(self._source.root / place), path
        return None, path or posixpath.basename(item.path.replace("\\", "/")) or item.id

    def finish(self) -> Tables:
        """The tables of all files."""
        for name, count in (+self._without_place).items():
            self._report.notes.append(f"{WITHOUT_PLACE[name]} of {count:,} items were left out")
        items = TableBuilder.of_items()
        items.add(len(self._items), **self._columns)
        rows = None
        if self._owners:
            rows = np.lexsort((np.concatenate(self._order), np.concatenate(self._owners)))
        return Tables.of(items.finish(), self._annotations.finish(rows), self._categories)


@dataclass
class SubsetFile:
    """An annotation file.

    Attributes:
        path: full path.
        name: relative path.
        subset: name of the subset.
        finder: of its images.
        labels: names of labels; None if it has no categories of labels.
    """

    path: str
    name: str
    subset: str
    finder: ImageFinder
    labels: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a file, as it is there."""

    id: str
    kind: str | None
    path: str
    size: tuple[int | None, int | None]
    status: str | None
    attributes: str | None


def _items(table: JSONTable, file: SubsetFile, report: Report) -> Iterator[Item | None]:
    """The items of a chunk; None for one that makes no sense."""
    columns = table.columns
    texts = [
        strings(columns[name]).to_pylist()
        for name in ITEMS
        if name not in ("id", "annotations", "related_images")
    ]
    for row, (name, values) in enumerate(zip(_ids(columns["id"]), zip(*texts, strict=True), strict=True)):
        where = f"item {name!r}" if name else f"number {table.first + row} of items"
        if not name:
            report.problem("it needs an id, which is text", file.path, where, "id")
            yield None
            continue
        attributes, *media, status = values
        if attributes is not None and attributes[0] != "{":
            report.problem("they are not an object", file.path, where, "attr")
            attributes = None
        kind, path, size = _medium(dict(zip(MEDIA, media, strict=True)), file, where, report)
        yield Item(name, kind, path, size, status, None if attributes == "{}" else attributes)


MEDIA = ("image", "point_cloud", "video", "video_frame", "media")


def _ids(column: JSONColumn) -> list[str | None]:
    """Ids with ``/``; numbers as text; None for others."""
    found = [name and name.strip("/").replace("\\", "/") for name in strings(column).to_pylist()]
    for number, row in enumerate(column.other_rows.tolist()):
        text = bytes(column.other[column.other_offsets[number] : column.other_offsets[number + 1]]).decode()
        found[row] = text if text.lstrip("-").isdigit() else None
    return found


def _medium(
    texts: dict[str, str | None], file: SubsetFile, where: str, report: Report
) -> tuple[str | None, str, tuple[int | None, int | None]]:
    """Kind, path and size of the media of an item."""
    name = next((name for name, text in texts.items() if text is not None), None)
    if name is None:
        return None, "", (None, None)
    form = json.loads(texts[name] or "null")
    path = (
        form.get("video_path" if name == "video_frame" else "path") or "" if isinstance(form, dict) else None
    )
    if not isinstance(path, str):
        report.problem("it is not an object with a path", file.path, where, name)
        return None, "", (None, None)
    kind = {"video_frame": "video", "media": "image"}.get(name, name)
    size = form.get("size")
    if size is None or kind != "image":
        return kind, path, (None, None)
    if isinstance(size, list) and len(size) == 2 and all(isinstance(one, int | float) for one in size):
        height, width = int(size[0]), int(size[1])
        if 0 < height < 2**31 and 0 < width < 2**31:
            return kind, path, (height, width)
    report.problem(f"the size is {size}, not height and width", file.path, where, name)
    return kind, path, (None, None)
