"""Reads CVAT's XML files into tables."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.colors import MaskCategories
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.pixels import read_header
from ddfast.annotated.source_folder import ImageFinder
from ddfast.annotated.tables import Tables, with_column
from ddfast.errors import MediaError
from ddfast.formats.cvat.attributes import STATE_LIST, VISIBILITY, TypedAttributes
from ddfast.formats.cvat.interpolation import Frames, interpolated
from ddfast.formats.cvat.items import FileItem, FileItems
from ddfast.formats.cvat.meta import LabelMeta, Meta, read_meta
from ddfast.formats.cvat.rows import ShapeRows
from ddfast.formats.cvat.shapes import (
    SHAPES,
    CvatShape,
    ShapeError,
    attribute_texts,
    flag,
    integer,
    rotation_of,
    shape_of,
)
from ddfast.formats.xml import SAFE_PARSER, line_of, lxml_etree, refuse_entities, xml_error

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.cvat.options import CvatReadOptions

WHOLE_FILE = "annotations.xml"
"""The name that CVAT gives to its files: it says nothing about the subset."""

ITEM_COLUMNS = ("id", "subset", "kind", "place", "path", "height", "width", "status", "attributes")


class CvatTables:
    """Collects the items and annotations of several files.

    Parameters:
        source: the folder.
        options: of reading.
        report: for problems and progress.
    """

    def __init__(self, source: SourceFolder, options: CvatReadOptions, report: Report) -> None:
        self._source = source
        self._options = options
        self._report = report
        self._items: dict[tuple[str, str], int] = {}
        self._columns: dict[str, list[Any]] = {name: [] for name in ITEM_COLUMNS}
        self._parts: list[pa.Table] = []
        self._labels: dict[str, LabelMeta] = {}
        names = [name for name in source.candidates(".xml") if posixpath.basename(name) == WHOLE_FILE]
        self._has_folders = len(names) > 1

    def read(self, name: str) -> None:
        """Read one file."""
        file = CvatFile(self._source, name, self._labels, self._options, self._report)
        file.read()
        folder = (
            posixpath.dirname(name) if self._has_folders and posixpath.basename(name) == WHOLE_FILE else ""
        )
        rows = self._add_items(file.items, folder, file.finder)
        table = file.table()
        if table.num_rows:
            table = with_column(table, "item", rows[np.asarray(table.column("item"))])
            self._parts.append(table)

    def _add_items(self, items: FileItems, folder: str, finder: ImageFinder) -> Any:
        """Add the items of a file, and return the row of each."""
        ids = items.ids()
        rows = np.zeros(len(ids), np.int32)
        for number in items.order().tolist():
            item = items.items[number]
            key = (item.subset, posixpath.join(folder, ids[number]))
            row = self._items.get(key)
            if row is None:
                row = self._items[key] = len(self._items)
                place, path = _image_of(item, finder) or (None, item.name and item.path)
                values = (
                    key[1], key[0], "image", place, path, *(item.size or (None, None)), item.status,
                    None if item.number is None else f'{{"frame": {item.number}}}',
                )  # fmt: skip
                for column, value in zip(self._columns.values(), values, strict=True):
                    column.append(value)
            elif item.size and self._columns["height"][row] is None:
                self._columns["height"][row], self._columns["width"][row] = item.size
            rows[number] = row
        return rows

    def finish(self) -> Tables:
        """The tables of all files."""
        items, annotations = TableBuilder.of_items(), TableBuilder.of_annotations()
        items.add(len(self._items), **self._columns)
        parts, self._parts = self._parts, []
        for part in parts:
            annotations.add_table(part)
        return Tables.of(items.finish(), annotations.finish(), categories_of(list(self._labels.values())))


def _image_of(item: FileItem, finder: ImageFinder) -> tuple[str, str] | None:
    """The image of an item: in the folder of its subset, or in any other."""
    return (finder and finder.find(f"{item.subset}/{item.path}")) or finder.find(item.path)


def categories_of(labels: Sequence[LabelMeta]) -> dict[AnnotationType, Categories]:
    """Labels, their colours, and the points of their skeletons."""
    names, points = LabelCategories(attributes=["occluded"]), PointsCategories()
    colors = {}
    for number, label in enumerate(labels):
        names.add(label.name, attributes=label.attributes)
        if label.color is not None:
            colors[number] = label.color
        if label.points:
            drawing = label.drawing
            points.add(number, label.points, drawing.joints(label.points), drawing.arranged(label.points))
    found: dict[AnnotationType, Categories] = {AnnotationType.label: names}
    if colors:
        found[AnnotationType.mask] = MaskCategories(colors)
    if len(points):
        found[AnnotationType.points] = points
    return found


class CvatFile:
    """Reads one file.

    Parameters:
        source: the folder.
        name: relative path of the file.
        labels: of all files; those of this one are added.
        options: of reading.
        report: for problems and progress.
    """

    def __init__(
        self,
        source: SourceFolder,
        name: str,
        labels: dict[str, LabelMeta],
        options: CvatReadOptions,
        report: Report,
    ) -> None:
        self.path = source.path(name)
        self.rows = ShapeRows()
        self._source = source
        self._options = options
        self._report = report
        self._labels = labels
        folder, base = posixpath.split(name)
        stem = "default" if base == WHOLE_FILE else base[: -len(".xml")]
        self.finder = ImageFinder(
            source,
            [
                posixpath.join(folder, part)
                for part in (f"images/{stem}", "images", stem, "", "data")
            ] + ["images", ""],
        )  # fmt: skip
        self._skipped: Counter[str] = Counter()
        self._use(FileItems(stem, Meta()))

    def _use(self, items: FileItems) -> None:
        """Go on with a head, which comes before all annotations."""
        self.items = items
        meta = items.meta
        for name, label in meta.labels.items():
            self._labels.setdefault(name, label)
        self._numbers = {name: number for number, name in enumerate(self._labels)}
        self._types = TypedAttributes({name: label.attributes for name, label in meta.labels.items()})

    def read(self) -> None:
        """Read the whole file.

        Raises:
            FormatError: it is not XML.
        """
        with self.path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            for element in self._elements(stream):
                if element.tag == "meta":
                    self._use(FileItems(self.items.subset, read_meta(element, self.path)))
                    self.items.add_frames()
                elif element.tag == "image":
                    self._read_image(element)
                else:
                    self._read_track(element)
                self._report.advance(stream.tell(), size)
        if self._options.interpolate:
            self.items.fill_gaps()
        for tag, count in self._skipped.items():
            self._report.notes.append(f"{self.path}: {count} elements <{tag}> are unknown and were left out")

    def table(self) -> pa.Table:
        """The annotations; items are rows of `items`."""
        table = self.rows.finish()
        if not self._options.interpolate or "track" not in table.column_names:
            return table
        return interpolated(table, self._frames)

    @property
    def _frames(self) -> Frames:
        videos: dict[Any, int] = {}
        items = self.items.items
        video = [videos.setdefault((item.task, item.subset), len(videos)) for item in items]
        number = [-1 if item.number is None else item.number for item in items]
        return Frames(np.array(video, np.int64), np.array(number, np.int64))

    def _elements(self, stream: Any) -> Iterator[Any]:
        """The elements of images and tracks and the head, each of which is removed from memory afterwards."""
        etree = lxml_etree()
        tags = ("meta", "image", "track")
        is_first = True
        try:
            for _, element in etree.iterparse(stream, events=("end",), tag=tags, **SAFE_PARSER):
                if is_first:
                    refuse_entities(element, self.path)
                    is_first = False
                parent = element.getparent()
                if parent is None or parent.getparent() is not None:
                    continue
                yield element
                element.clear(keep_tail=True)
                while element.getprevious() is not None:
                    del parent[0]
        except etree.XMLSyntaxError as error:
            raise xml_error(error, self.path) from error

    def _problem(self, element: Any, error: ShapeError) -> None:
        self._report.problem(f"{element.tag}: {error}", self.path, line_of(element), error.field)

    def _read_image(self, element: Any) -> None:
        try:
            name = element.get("name")
            if not name:
                raise ShapeError("it is missing", "name")
            task = element.get("task_id") or ""
            number = integer(element, "id", -1)
            height, width = integer(element, "height", 0), integer(element, "width", 0)
            size = (height, width) if height > 0 and width > 0 else None
            subset = self.items.subset_of(task, element.get("subset"))
        except ShapeError as error:
            self._problem(element, error)
            return
        item = FileItem(
            task, subset, None if number < 0 else number, name, size, element.get("status"), is_image=True
        )
        row = self.items.image(item)
        for child in element:
            try:
                self._read_shape(child, row, child, None, None)
            except ShapeError as error:
                self._problem(child, error)

    def _read_track(self, element: Any) -> None:
        try:
            track = integer(element, "id", low=-(2**63), high=2**63)
            task = element.get("task_id") or ""
            self._label_of(element)
        except ShapeError as error:
            self._problem(element, error)
            return
        for child in element:
            try:
                frame = integer(child, "frame", low=0)
                if not self._options.keep_outside and flag(child, "outside"):
                    continue
                row = self.items.frame(task, element.get("subset"), frame)
                self._read_shape(child, row, element, track, frame)
            except ShapeError as error:
                self._problem(child, error)

    def _read_shape(self, element: Any, row: int, owner: Any, track: int | None, frame: int | None) -> None:
        """Add the annotation of an element; ``owner`` has its label, group and source: itself, or its track.

        Raises:
            ShapeError: it makes no sense.
        """
        if element.tag == "tag" and track is None:
            shape, rotation, states = CvatShape("label"), None, []
        elif element.tag in SHAPES:
            label = self._labels.get(owner.get("label") or "")
            shape = shape_of(element, self._size_of(element, row), label.points if label else ())
            rotation = rotation_of(element)
            states = [("occluded", flag(element, "occluded"))]
            if track is not None:
                states += [
                    ("outside", flag(element, "outside")), ("keyframe", flag(element, "keyframe", True)),
                ]  # fmt: skip
        else:
            self._skipped[element.tag] += 1
            return
        texts = [*attribute_texts(element), *shape.details]
        if shape.type == "points":
            shape, texts = _with_visibility(shape, texts)
        number, name = self._label_of(owner)
        attributes, crowd = self._types.of(name, states, texts)
        self.rows.add(
            shape, row, number, integer(owner, "group_id", 0, low=-(2**63), high=2**63) or None,
            integer(element, "z_order", 0) or None, rotation, crowd, frame, track,
            owner.get("source") or None, attributes,
        )  # fmt: skip

    def _label_of(self, element: Any) -> tuple[int, str]:
        """Number and name of the label of an element.

        Raises:
            ShapeError: it has none, or the head of the file does not list it.
        """
        name = element.get("label")
        if not name:
            raise ShapeError("it is missing", "label")
        number = self._numbers.get(name)
        if number is None or (name not in self.items.meta.labels and self.items.meta.is_closed):
            if self.items.meta.is_closed:
                raise ShapeError(f"there is no label {name!r} in the head of the file", "label")
            number = self._numbers[name] = len(self._labels)
            self._labels[name] = LabelMeta(name)
        return number, name

    def _size_of(self, element: Any, row: int) -> tuple[int, int] | None:
        """Height and width of an item; masks need it, so that it is read from the image if the file does not say."""
        item = self.items.items[row]
        if item.size is None and element.tag == "mask":
            found = self.finder.find(item.path)
            if found is not None:
                try:
                    header = read_header(str(Path(*found)), item.path)
                except MediaError as error:
                    raise ShapeError(f"the size of its image is unknown: {error}", "rle") from error
                item.size = header.size
        return item.size


def _with_visibility(
    shape: CvatShape, texts: list[tuple[str, str]]
) -> tuple[CvatShape, list[tuple[str, str]]]:
    """Points with the states of an attribute that says so, and the other attributes."""
    assert shape.points is not None
    count = len(shape.points) // 2
    states = dict(texts).get(VISIBILITY, "")
    if not STATE_LIST.fullmatch(states) or states.count(",") != count - 1:
        return shape._replace(visibility=[2] * count), texts
    found = [int(state) for state in states.split(",")]
    return shape._replace(visibility=found), [pair for pair in texts if pair[0] != VISIBILITY]
