"""Writes tables as LabelMe's XML files and masks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated import masks, pixels
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.geometry import corners
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.schema import CROWD
from ddfast.annotated.tables import Tables, codes, floats, integers, known_sizes, lists, mask_sizes
from ddfast.formats.dataset_meta import META_FILE, labels_text
from ddfast.formats.label_me.attributes import attributes_line
from ddfast.formats.label_me.layout import ANNOTATIONS, IMAGES, MASKS
from ddfast.formats.label_me.objects import date_text
from ddfast.formats.xml import escaped

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.label_me.options import LabelMeWriteOptions

__all__ = ["write"]

DELETED = "deleted"


def write(
    tables: Tables, output: OutputFolder, options: LabelMeWriteOptions, report: Report, media: bool
) -> None:
    """Write an XML file for each item, the masks, and the images."""
    items = tables.items
    names = file_names(tables, options.image_ext)
    ids = items.column("id").to_pylist() if items.num_rows else []
    numbers, subsets = codes(items, "subset")
    folders = [subsets[number] if number >= 0 else DEFAULT_SUBSET for number in numbers.tolist()]
    sizes = np.stack([integers(items, name) for name in ("height", "width")], axis=1).tolist()
    labels = tables.categories.get(AnnotationType.label)
    label_names = [item.name for item in labels.items] if isinstance(labels, LabelCategories) else []
    for first, stop in tables.blocks():
        block = LabelMeObjects(tables, first, stop, label_names)
        for row in range(first, stop):
            item = LabelMeItem(ids[row], folders[row], names[row], sizes[row])
            file = item.file(block.objects_of(row - first, item, output))
            output.write(f"{ANNOTATIONS}/{item.folder}/{item.id}.xml", file)
        report.counts["annotations"] += block.count
        report.advance(stop, items.num_rows)
    report.counts["items"] += items.num_rows
    if options.save_dataset_meta:
        output.write(META_FILE, labels_text(label_names))
    if media:
        paths = [f"{IMAGES}/{folder}/{name}" for folder, name in zip(folders, names, strict=True)]
        save_images(tables, range(len(paths)), paths, output, report)


@dataclass(frozen=True)
class LabelMeItem:
    """An item to write.

    Attributes:
        id: its id.
        folder: its subset.
        name: of its image.
        size: height and width, 0 if they are unknown.
    """

    id: str
    folder: str
    name: str
    size: list[int]

    def file(self, objects: list[str]) -> str:
        """The XML file."""
        height, width = self.size
        size = f"<nrows>{height}</nrows><ncols>{width}</ncols>" if height and width else ""
        head = (
            f"<annotation>\n  <filename>{escaped(self.name, 'the file name')}</filename>\n"
            f"  <folder>{escaped(self.folder, 'the subset')}</folder>\n"
            "  <source><sourceImage></sourceImage><sourceAnnotation>ddfast</sourceAnnotation></source>\n"
        )
        return (
            head
            + (f"  <imagesize>{size}</imagesize>\n" if size else "")
            + "".join(objects)
            + "</annotation>\n"
        )


@dataclass
class LabelMeObject:
    """One object to write.

    Attributes:
        row: of its annotation.
        id: its number in the file.
        points: x and y in turn.
        parts: text of the elements that say what it belongs to.
    """

    row: int
    id: int
    points: list[float]
    parts: str = "<hasparts></hasparts><ispartof></ispartof>"


class LabelMeObjects:
    """The objects of a block of items.

    Parameters:
        tables: of the items.
        first, stop: rows of the items.
        labels: names of all labels.

    Attributes:
        count: of the objects that were made.
    """

    def __init__(self, tables: Tables, first: int, stop: int, labels: list[str]) -> None:
        self.count = 0
        table = tables.annotations_of(first, stop)
        self._names = labels
        self._starts = (tables.starts[first : stop + 1] - tables.starts[first]).tolist()
        numbers, names = codes(table, "type")
        self._types = [names[number] for number in numbers.tolist()]
        self._labels = integers(table, "label", -1).tolist()
        self._groups = integers(table, "group").tolist()
        self._ids = integers(table, "id", -1).tolist()
        boxes = np.stack([floats(table, name) for name in ("x", "y", "width", "height")], axis=1)
        rotation = floats(table, "rotation")
        self._corners = corners(boxes, rotation).tolist()
        self._upright = (np.nan_to_num(rotation) == 0).tolist()
        self._crowd = integers(table, "crowd", -1).tolist()
        self._texts = {name: _texts(table, name) for name in ("attributes", "author", "created", "status")}
        values, ends = lists(table, "points")
        self._points, self._ends = values.tolist(), ends.tolist()
        values, ends = lists(table, "parts")
        self._parts, self._part_ends = values.astype(np.int64).tolist(), ends.tolist()
        self._masks = table.column("mask").to_pylist() if "mask" in table.column_names else []
        self._sizes = mask_sizes(table, known_sizes(tables.items)).tolist()

    def objects_of(self, number: int, item: LabelMeItem, output: OutputFolder) -> list[str]:
        """The elements of the objects of an item; masks are written as files.

        Parameters:
            number: of the item in the block.
            item: the item.
            output: the folder.
        """
        entries = list(self._entries(range(self._starts[number], self._starts[number + 1])))
        self._number(entries)
        self._link(entries)
        self.count += len({entry.row for entry in entries})
        return [self._object(entry, item, output) for entry in entries]

    def _entries(self, rows: range) -> Iterator[LabelMeObject]:
        """An object for each annotation, for polygons one for each part."""
        for row in rows:
            kind = self._types[row]
            points = self._points[self._ends[row] : self._ends[row + 1]]
            if kind == "bbox":
                yield LabelMeObject(row, 0, self._corners[row])
            elif kind == "polygon":
                starts = self._parts[self._part_ends[row] : self._part_ends[row + 1]] or [0]
                for start, stop in zip(starts, [*starts[1:], len(points)], strict=True):
                    yield LabelMeObject(row, 0, points[start:stop])
            elif kind == "mask":
                yield LabelMeObject(row, 0, [])

    def _number(self, entries: list[LabelMeObject]) -> None:
        """Give objects the ids of their annotations, if those are different; otherwise numbers from 0 on."""
        ids = [self._ids[entry.row] for entry in entries]
        keep = len(set(ids)) == len(ids) and min(ids, default=0) >= 0
        for number, entry in enumerate(entries):
            entry.id = ids[number] if keep else number

    def _link(self, entries: list[LabelMeObject]) -> None:
        """Say which objects are parts of the first one of their group."""
        members: dict[tuple[bool, int], list[LabelMeObject]] = {}
        for entry in entries:
            group = self._groups[entry.row]
            members.setdefault((bool(group), group or entry.row), []).append(entry)
        for first, *others in members.values():
            if others:
                listed = ",".join(str(entry.id) for entry in others)
                first.parts = f"<hasparts>{listed}</hasparts><ispartof></ispartof>"
            for entry in others:
                entry.parts = f"<hasparts></hasparts><ispartof>{first.id}</ispartof>"

    def _object(self, entry: LabelMeObject, item: LabelMeItem, output: OutputFolder) -> str:
        row = entry.row
        attributes = self._attributes(row)
        occluded = {True: "yes", False: "no"}.get(attributes.pop("occluded", None), "")
        verified = attributes.pop("verified", False)
        author = self._texts["author"][row] or str(attributes.pop("username", ""))
        date = date_text(self._texts["created"][row] or str(attributes.pop("date", "")))
        label = self._names[self._labels[row]] if self._labels[row] >= 0 else ""
        where = f"item {item.id!r}"
        user = f"<username>{escaped(author, f'the author of {where}')}</username>"
        shape = (
            self._mask(entry, item, output, user)
            if self._types[row] == "mask"
            else self._polygon(entry, user)
        )
        return (
            f"  <object>\n    <name>{escaped(label, 'the label')}</name>\n"
            f"    <deleted>{int(self._texts['status'][row] == DELETED)}</deleted>\n"
            f"    <verified>{int(verified is True)}</verified>\n    <occluded>{occluded}</occluded>\n"
            f"    <date>{escaped(date, 'the date')}</date>\n    <id>{entry.id}</id>\n"
            f"    <parts>{entry.parts}</parts>\n{shape}"
            f"    <attributes>{escaped(attributes_line(attributes), f'attributes of {where}')}</attributes>\n"
            "  </object>\n"
        )

    def _attributes(self, row: int) -> dict[str, Any]:
        text = self._texts["attributes"][row]
        attributes: dict[str, Any] = json.loads(text) if text else {}
        if self._crowd[row] >= 0:
            attributes[CROWD] = bool(self._crowd[row])
        return attributes

    def _polygon(self, entry: LabelMeObject, user: str) -> str:
        is_box = self._types[entry.row] == "bbox" and self._upright[entry.row]
        kind = "    <type>bounding_box</type>\n" if is_box else ""
        x, y = entry.points[::2], entry.points[1::2]
        points = "".join(
            f"      <pt><x>{left!r}</x><y>{top!r}</y></pt>\n" for left, top in zip(x, y, strict=True)
        )
        return f"{kind}    <polygon>\n{points}      {user}\n    </polygon>\n"

    def _mask(self, entry: LabelMeObject, item: LabelMeItem, output: OutputFolder, user: str) -> str:
        rle = {"size": self._sizes[entry.row], "counts": self._masks[entry.row]}
        name = f"{item.id}_mask_{entry.id}.png"
        shown = np.repeat(masks.decode(rle)[:, :, None] * np.uint8(255), 4, axis=2)
        output.write(f"{MASKS}/{item.folder}/{name}", pixels.encode(shown, ".png"))
        left, top, width, height = masks.box(rle)
        box = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{left + width}</xmax><ymax>{top + height}</ymax>"
        return (
            f"    <segm>\n      <mask>{escaped(name, 'the file name')}</mask>\n      <box>{box}</box>\n"
            f"      {user}\n    </segm>\n"
        )


def _texts(table: pa.Table, name: str) -> list[str | None]:
    if name not in table.column_names:
        return [None] * int(table.num_rows)
    return table.column(name).to_pylist()  # type: ignore[no-any-return]
