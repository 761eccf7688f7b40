"""Reads labelme's JSON files into tables."""

from __future__ import annotations

import binascii
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddfast.annotated.annotation_rows import AnnotationRows
from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.checks import shown
from ddfast.annotated.image import Image
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.paths import image_extension
from ddfast.annotated.pixels import read_header
from ddfast.annotated.report import Report
from ddfast.annotated.rows import attributes_text
from ddfast.annotated.tables import Tables
from ddfast.errors import ImageError, MediaError
from ddfast.formats.json_file import parse_json
from ddfast.formats.labelme.names import LabelmeNames
from ddfast.formats.labelme.shapes import LabelmeGroups, LabelmeShapeError, attributes_of, crowd_of, shape_row

if TYPE_CHECKING:
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.labelme.options import LabelmeReadOptions

__all__ = ["FILE_KEYS", "LabelmeReader"]

FILE_KEYS = frozenset({
    "version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", "subset", "lineColor",
    "fillColor",
})  # fmt: skip
"""Keys of a file that have a meaning here, or had one in old versions; others become attributes of the item."""

LABELS = "labels.txt"
IGNORED = "__ignore__"  # labelme's name for what is no label

ANNOTATED = "annotated"
"""Status of items that have a JSON file, though it may have no shapes."""

COLUMNS = ("id", "subset", "kind", "place", "path", "height", "width", "status", "attributes")

Size = tuple[int | None, int | None]


class LabelmeReader:
    """Reads a folder.

    Parameters:
        source: the folder.
        options: of the format.
        report: for problems, notes and progress.

    Attributes:
        count: of the JSON files that have shapes.
    """

    def __init__(self, source: SourceFolder, options: LabelmeReadOptions, report: Report) -> None:
        self.count = 0
        self._source = source
        self._options = options
        self._report = report
        self._names = LabelmeNames(source, options.subsets, options.images)
        self._labels: dict[str, int] = {}
        self._items: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._media: dict[int, Image] = {}
        self._rows = AnnotationRows(
            "group", "rotation", "area", "visibility", "mask", "mask_height", "mask_width", "crowd", "score",
            "attributes",
        )  # fmt: skip
        self._stale: list[str] = []
        self._others = 0

    def read(self) -> Tables:
        """The tables of all files."""
        self._read_labels()
        names = self._source.candidates(".json")
        for done, name in enumerate(names, 1):
            self._read_file(name)
            self._report.advance(done, len(names))
        if self._source.chosen is None:
            for name in self._names.without_file():
                subset, key = self._names.key(name)
                self._add_item((key, subset, "image", str(self._source.root), name, None, None, None, None))
        self._add_notes()
        items = TableBuilder.of_items()
        items.add(len(self._items["id"]), **self._items)
        categories = {AnnotationType.label: LabelCategories.from_iterable(list(self._labels))}
        return Tables.of(items.finish(), self._rows.finish(), categories, self._media)

    def _read_labels(self) -> None:
        if LABELS in self._source.files:
            for line in self._source.text(LABELS).splitlines():
                if line.strip() and line.strip() != IGNORED:
                    self._labels.setdefault(line.strip(), len(self._labels))

    def _add_notes(self) -> None:
        if self._stale:
            self._report.notes.append(
                f"{len(self._stale):,} files have imageData of another size than the image of imagePath or than"
                f" imageHeight and imageWidth, such as {self._stale[0]}: imageData was taken"
            )
        if self._others:
            self._report.notes.append(f"{self._others:,} JSON files without shapes were left out")

    def _read_file(self, name: str) -> None:
        path = self._source.path(name)
        form = parse_json(path.read_bytes(), path, self._report)
        if not isinstance(form, dict) or not isinstance(form.get("shapes"), list):
            self._others += form is not None
            return
        self.count += 1
        row = len(self._items["id"])
        image = self._names.image(name, self._text(form, "imagePath", path))
        size = self._size(form, path, image, row)
        subset, key = self._names.key(name[: -len(".json")], form.get("subset"))
        self._read_shapes(form["shapes"], path, row, size, image)
        attributes = self._read_flags(form, path, row)
        place = None if image is None or row in self._media else str(self._source.root)
        given = posixpath.basename(str(form.get("imagePath") or "").replace("\\", "/"))
        shown_path = image or (given if image_extension(given) else None)
        self._add_item((
            key, subset, "image", place, shown_path, *size, ANNOTATED, attributes_text(attributes, key),
        ))  # fmt: skip

    def _add_item(self, values: tuple[Any, ...]) -> None:
        for column, value in zip(self._items.values(), values, strict=True):
            column.append(value)

    def _text(self, form: dict[str, Any], field: str, path: Path) -> str | None:
        value = form.get(field)
        if value is None or isinstance(value, str):
            return value
        self._report.problem(f"it is {shown(value)}; it must be text", path, field=field)
        return None

    def _size(self, form: dict[str, Any], path: Path, image: str | None, row: int) -> Size:
        """Height and width: those of the image in the file if there is one, else those that the file states."""
        height, width = form.get("imageHeight"), form.get("imageWidth")
        size: Size = (height, width) if _is_length(height) and _is_length(width) else (None, None)
        if size == (None, None) and (height, width) != (None, None):
            self._report.problem(
                f"they are {shown(height)} and {shown(width)}; they must be numbers of pixels",
                path, field="imageHeight, imageWidth",
            )  # fmt: skip
        text = self._text(form, "imageData", path)
        if not text:
            return size
        try:
            own = read_header(binascii.a2b_base64(text), "imageData").size
        except (ValueError, ImageError, MediaError) as error:
            self._report.problem(f"it is no image file in base 64: {error}", path, field="imageData")
            return size
        file = None if image is None else self._header(image)
        if size not in ((None, None), own) or file not in (None, own):
            self._stale.append(str(path))
        if file != own:
            extension = image_extension(str(form.get("imagePath") or "")) or None
            self._media[row] = Image(data=lambda: image_data(path), ext=extension, size=own)
        return own

    def _header(self, image: str) -> tuple[int, int] | None:
        path = str(self._source.path(image))
        try:
            return read_header(path, path).size
        except (ImageError, MediaError) as error:
            self._report.problem(str(error), path)
            return None

    def _read_shapes(self, shapes: list[Any], path: Path, row: int, size: Size, image: str | None) -> None:
        groups = LabelmeGroups(shapes)

        def known_size() -> Size:
            if size == (None, None) and image is not None:
                return self._header(image) or size
            return size

        for number, shape in enumerate(shapes, 1):
            try:
                if not isinstance(shape, dict):
                    raise LabelmeShapeError(f"it is {shown(shape)}; it must be a map", "")
                values = shape_row(shape, known_size)
                attributes = attributes_of(shape)
                values["group"] = groups.of(shape.get("group_id"))
                values["score"] = _score(shape.get("score"))
                values["crowd"] = crowd_of(attributes)
                values["label"] = self._label(shape.get("label"))
            except LabelmeShapeError as error:
                self._report.problem(str(error), path, f"shape {number}", error.field)
                continue
            values["attributes"] = attributes_text(attributes, f"shape {number} of {path}")
            self._rows.add(row, **values)

    def _label(self, name: Any) -> int | None:
        if name is None or name == "":
            return None
        if not isinstance(name, str):
            raise LabelmeShapeError(f"label is {shown(name)}; it must be text", "label")
        return self._labels.setdefault(name, len(self._labels))

    def _read_flags(self, form: dict[str, Any], path: Path, row: int) -> dict[str, Any]:
        """Add the flags of the image as labels, and return the attributes of the item."""
        flags = form.get("flags") or {}
        attributes = {
            key: value for key, value in form.items() if key not in FILE_KEYS and value not in (None, "")
        }
        if not isinstance(flags, dict):
            self._report.problem(f"they are {shown(flags)}; they must be a map", path, field="flags")
        elif self._options.flags == "attributes":
            attributes |= flags
        else:
            for name, value in flags.items():
                if not name or name == IGNORED:
                    continue
                label = self._labels.setdefault(name, len(self._labels))
                if value:
                    self._rows.add(row, "label", label=label)
        return attributes


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 < value < 1 << 31


def _score(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LabelmeShapeError(f"score is {shown(value)}; it must be a number", "score")
    return float(value)


def image_data(path: Path) -> bytes:
    """The image in a JSON file."""
    return binascii.a2b_base64(parse_json(path.read_bytes(), path, Report())["imageData"])
