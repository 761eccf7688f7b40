"""Writes tables as labelme's JSON files."""

from __future__ import annotations

import binascii
import json
import posixpath
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks, pixels
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.geometry import corners
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.media_reader import MediaReader
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.schema import CROWD
from ddfast.annotated.tables import Tables, codes, floats, integers, known_sizes, lists, mask_sizes
from ddfast.formats.json_file import write_json
from ddfast.formats.labelme.reading import FILE_KEYS, IGNORED, LABELS

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.labelme.options import LabelmeWriteOptions

__all__ = ["uneven_ellipses", "write"]

VERSION = "5.5.0"
"""Version of labelme whose files are written."""

VISIBLE = 2
HELD = ("bbox", "polygon", "polyline", "points", "mask", "ellipse")
ROUND = 1e-6
"""Relative difference of width and height of a circle."""


def uneven_ellipses(annotations: pa.Table) -> npt.NDArray[np.bool_]:
    """Which annotations are ellipses but no circles."""
    numbers, names = codes(annotations, "type")
    if "ellipse" not in names:
        return np.zeros(annotations.num_rows, bool)
    width, height = floats(annotations, "width"), floats(annotations, "height")
    uneven: npt.NDArray[np.bool_] = np.abs(width - height) > ROUND * width
    uneven &= numbers == names.index("ellipse")
    return uneven


def write(
    tables: Tables, output: OutputFolder, options: LabelmeWriteOptions, report: Report, media: bool
) -> None:
    """Write a JSON file for each item, and its image beside it."""
    names = file_names(tables, options.image_ext)
    stems = item_paths(tables)
    names = [stem + name[len(key) :] for stem, name, key in zip(stems, names, _ids(tables), strict=True)]
    reader = MediaReader(tables) if options.image_data else None
    writer = LabelmeFiles(tables, reader)
    for first, stop in tables.blocks():
        for row, shapes in enumerate(LabelmeShapes(tables, first, stop).by_item(), first):
            output.write(f"{stems[row]}.json", writer.content(row, posixpath.basename(names[row]), shapes))
        report.advance(stop, tables.items.num_rows)
    report.counts["items"] += tables.items.num_rows
    report.counts["annotations"] += writer.count
    listed = [label for label in writer.labels if label.strip() == label and label.isprintable()]
    if listed and len(listed) == len(writer.labels) and IGNORED not in listed:
        output.write(LABELS, "".join(f"{label}\n" for label in listed))
    if media:
        save_images(tables, range(len(names)), names, output, report)


def _ids(tables: Tables) -> list[str]:
    return tables.items.column("id").to_pylist() if tables.items.num_rows else []


def item_paths(tables: Tables) -> list[str]:
    """The path of each item without extension: below a folder for its subset, if there are any subsets."""
    ids = _ids(tables)
    numbers, subsets = codes(tables.items, "subset")
    used = [subsets[number] if number >= 0 else DEFAULT_SUBSET for number in numbers.tolist()]
    if set(used) <= {DEFAULT_SUBSET} and not any(one.startswith(f"{DEFAULT_SUBSET}/") for one in ids):
        return ids
    return [f"{subset}/{one}" for subset, one in zip(used, ids, strict=True)]


class LabelmeFiles:
    """Makes the contents of files.

    Parameters:
        tables: of the items.
        reader: of the images, if they are written into the files.

    Attributes:
        labels: names of all labels.
        count: of the shapes and labels that were written.
    """

    def __init__(self, tables: Tables, reader: MediaReader | None) -> None:
        labels = tables.categories.get(AnnotationType.label)
        self.labels = [item.name for item in labels.items] if isinstance(labels, LabelCategories) else []
        self.count = 0
        self._reader = reader
        items = tables.items
        numbers, subsets = codes(items, "subset")
        self._subsets = [subsets[number] if number >= 0 else DEFAULT_SUBSET for number in numbers.tolist()]
        self._sizes = [integers(items, name, -1).tolist() for name in ("height", "width")]
        self._attributes = _texts(items, "attributes")

    def content(self, row: int, image: str, shapes: tuple[list[dict[str, Any]], dict[str, bool]]) -> bytes:
        """The file of an item.

        Parameters:
            row: of the item.
            image: name of its file.
            shapes: of the item, and its flags.
        """
        found, flags = shapes
        for shape in found:
            shape["label"] = "" if shape["label"] < 0 else self.labels[shape["label"]]
        data = self._reader.read(row) if self._reader is not None else None
        height, width = (one[row] if one[row] > 0 else None for one in self._sizes)
        self.count += len(found) + sum(flags.values())
        form = {
            "version": VERSION,
            "flags": flags,
            "shapes": found,
            "imagePath": image,
            "imageData": None if data is None else binascii.b2a_base64(data, newline=False).decode(),
            "imageHeight": height,
            "imageWidth": width,
            "subset": self._subsets[row],
        }
        text = self._attributes[row]
        if text:
            form |= {key: value for key, value in json.loads(text).items() if key not in FILE_KEYS}
        return write_json(form)


class LabelmeShapes:
    """The shapes of a block of items.

    Parameters:
        tables: of the items.
        first, stop: rows of the items.
    """

    def __init__(self, tables: Tables, first: int, stop: int) -> None:
        self._tables = tables
        self._table = table = tables.annotations_of(first, stop)
        self._starts = (tables.starts[first : stop + 1] - tables.starts[first]).tolist()
        numbers, names = codes(table, "type")
        self._types = [names[number] for number in numbers.tolist()]
        self._skipped = uneven_ellipses(table).tolist()
        self._labels = integers(table, "label", -1).tolist()
        self._groups = integers(table, "group").tolist()
        boxes = np.stack([floats(table, name) for name in ("x", "y", "width", "height")], axis=1)
        rotation = floats(table, "rotation")
        self._boxes, self._rotated = boxes.tolist(), (np.nan_to_num(rotation) != 0).tolist()
        self._corners = corners(boxes, rotation).tolist()
        self._scores = floats(table, "score").tolist()
        self._crowd = integers(table, "crowd", -1).tolist()
        self._attributes = _texts(table, "attributes")
        self._points, self._ends = _as_lists(table, "points")
        self._parts, self._part_ends = _as_lists(table, "parts")
        self._visibility, self._visibility_ends = _as_lists(table, "visibility")
        self._masks = table.column("mask").to_pylist() if "mask" in table.column_names else []
        self._sizes = mask_sizes(table, known_sizes(tables.items)).tolist()

    def by_item(self) -> Iterator[tuple[list[dict[str, Any]], dict[str, bool]]]:
        """Shapes and flags of each item. Labels are numbers, -1 for none."""
        for number in range(len(self._starts) - 1):
            rows = range(self._starts[number], self._starts[number + 1])
            spare = max((self._groups[row] for row in rows), default=0)
            shapes: list[dict[str, Any]] = []
            flags = dict.fromkeys(self._flag_names.values(), False) if self._flag_names else {}
            for row in rows:
                kind = self._types[row]
                if kind == "label":
                    flags[self._flag_names[self._labels[row]]] = True
                elif kind in HELD and not self._skipped[row]:
                    pieces = list(self._pieces(row))
                    group = self._groups[row]
                    if len(pieces) > 1 and not group:
                        group = spare = max(spare, 0) + 1
                    shapes += [self._shape(row, group, piece) for piece in pieces]
            yield shapes, flags

    @cached_property
    def _flag_names(self) -> dict[int, str]:
        """Names of the labels that images of the dataset have, by number."""
        annotations = self._tables.annotations
        numbers, names = codes(annotations, "type")
        categories = self._tables.categories.get(AnnotationType.label)
        if "label" not in names or not isinstance(categories, LabelCategories):
            return {}
        labels = integers(annotations, "label", -1)[numbers == names.index("label")]
        return {label: categories.items[label].name for label in np.unique(labels).tolist() if label >= 0}

    def _shape(self, row: int, group: int, piece: dict[str, Any]) -> dict[str, Any]:
        text = self._attributes[row]
        attributes = json.loads(text) if text else {}
        description = attributes.pop("description", "")
        if not isinstance(description, str):
            attributes["description"], description = description, ""
        flags = {name: value for name, value in attributes.items() if isinstance(value, bool)}
        if self._crowd[row] >= 0:
            flags[CROWD] = bool(self._crowd[row])
        shape: dict[str, Any] = {
            "label": self._labels[row],
            "points": piece.pop("points"),
            "group_id": group or None,
            "description": description,
            "shape_type": piece.pop("shape_type"),
            "flags": flags,
            "mask": piece.pop("mask", None),
            **piece,
        }
        if self._scores[row] == self._scores[row]:
            shape["score"] = self._scores[row]
        others = {name: value for name, value in attributes.items() if name not in flags}
        if others:
            shape["attributes"] = others
        return shape

    def _pieces(self, row: int) -> Iterator[dict[str, Any]]:
        """Type, points and mask of the shapes of an annotation: one for each part of a polygon."""
        kind = self._types[row]
        points = self._points[self._ends[row] : self._ends[row + 1]]
        if kind in ("bbox", "ellipse"):
            yield self._from_box(row, kind)
        elif kind == "mask":
            yield self._mask(row)
        elif kind == "polygon":
            starts = self._parts[self._part_ends[row] : self._part_ends[row + 1]] or [0]
            for start, stop in zip(starts, [*starts[1:], len(points)], strict=True):
                yield {"shape_type": "polygon", "points": _pairs(points[start:stop])}
        elif kind == "polyline":
            yield {"shape_type": "line" if len(points) == 4 else "linestrip", "points": _pairs(points)}
        else:
            states = self._visibility[self._visibility_ends[row] : self._visibility_ends[row + 1]]
            hidden = {"visibility": states} if any(state != VISIBLE for state in states) else {}
            name = "point" if len(points) == 2 else "points"
            yield {"shape_type": name, "points": _pairs(points), **hidden}

    def _from_box(self, row: int, kind: str) -> dict[str, Any]:
        x, y, width, height = self._boxes[row]
        if kind == "ellipse":
            centre = [x + width / 2, y + height / 2]
            return {"shape_type": "circle", "points": [centre, [x + width, centre[1]]]}
        points = _pairs(self._corners[row])
        if self._rotated[row]:
            return {"shape_type": "polygon", "points": points}
        return {"shape_type": "rectangle", "points": [points[0], points[2]]}

    def _mask(self, row: int) -> dict[str, Any]:
        found, (left, top, width, height) = masks.crop({"size": self._sizes[row], "counts": self._masks[row]})
        if not found.size:
            found, width, height = np.zeros((1, 1), bool), 1, 1
        image = pixels.encode(found.astype(np.uint8), ".png")
        return {
            "shape_type": "mask",
            "points": [[float(left), float(top)], [float(left + width - 1), float(top + height - 1)]],
            "mask": binascii.b2a_base64(image, newline=False).decode(),
        }


def _pairs(points: list[float]) -> list[list[float]]:
    return [list(pair) for pair in zip(points[::2], points[1::2], strict=True)]


def _texts(table: pa.Table, name: str) -> list[str | None]:
    if name not in table.column_names:
        return [None] * int(table.num_rows)
    return table.column(name).to_pylist()  # type: ignore[no-any-return]


def _as_lists(table: pa.Table, name: str) -> tuple[list[Any], list[int]]:
    """All values of a column of lists, and where those of each row begin."""
    values, offsets = lists(table, name)
    return values.tolist(), offsets.tolist()
