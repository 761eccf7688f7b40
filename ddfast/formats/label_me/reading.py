"""Reads LabelMe's XML files into tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated import masks, pixels
from ddfast.annotated.annotation_rows import AnnotationRows
from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.checks import shown
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.rows import attributes_text
from ddfast.annotated.tables import Tables
from ddfast.errors import FormatError, ImageError, MediaError
from ddfast.formats.dataset_meta import read_labels
from ddfast.formats.label_me.layout import MASKS, SCRIBBLES, LabelMeFiles, LabelMeName
from ddfast.formats.label_me.objects import LabelMeObjectError, details_of, groups_of, link_of, points_of
from ddfast.formats.xml import child_text, line_of, parse_xml

if TYPE_CHECKING:
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.label_me.options import LabelMeReadOptions

__all__ = ["LabelMeReader"]

BOUNDING_BOX = "bounding_box"
DELETED = "deleted"

ANNOTATED = "annotated"
"""Status of items that have an XML file, though it may have no objects."""

COLUMNS = ("id", "subset", "kind", "place", "path", "height", "width", "status")

Values = dict[str, Any]


class LabelMeReader:
    """Reads a folder.

    Parameters:
        source: the folder.
        options: of the format.
        report: for problems, notes and progress.

    Attributes:
        count: of the XML files that are LabelMe's.
    """

    def __init__(self, source: SourceFolder, options: LabelMeReadOptions, report: Report) -> None:
        self.count = 0
        self._source = source
        self._options = options
        self._report = report
        self._files = LabelMeFiles(source)
        self._labels = {name: number for number, name in enumerate(read_labels(source, report))}
        self._items: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._rows = AnnotationRows(
            "id", "group", "area", "mask", "mask_height", "mask_width", "crowd", "author", "status", "created",
            "attributes",
        )  # fmt: skip
        self._deleted = 0
        self._scribbles = 0

    def read(self) -> Tables:
        """The tables of all files."""
        names = self._source.candidates(".xml")
        for done, name in enumerate(names, 1):
            self._read_file(name)
            self._report.advance(done, len(names))
        if self._source.chosen is None:
            root = str(self._source.root)
            for subset, key, path in self._files.without_file():
                self._add_item(key, subset, "image", root, path, None, None, None)
        if self._deleted:
            self._report.notes.append(f"{self._deleted:,} objects that were deleted were left out")
        if self._scribbles:
            self._report.notes.append(f"{self._scribbles:,} scribbles were left out")
        items = TableBuilder.of_items()
        items.add(len(self._items["id"]), **self._items)
        categories = {AnnotationType.label: LabelCategories.from_iterable(list(self._labels))}
        return Tables.of(items.finish(), self._rows.finish(), categories)

    def _add_item(self, *values: Any) -> None:
        for column, value in zip(self._items.values(), values, strict=True):
            column.append(value)

    def _read_file(self, name: str) -> None:
        path = self._source.path(name)
        try:
            root = parse_xml(path)
        except FormatError as error:
            self._report.problem(str(error).removeprefix(str(path)).lstrip(",: "), path)
            return
        if root.tag != "annotation":
            return
        self.count += 1
        place = LabelMeName(name)
        folder = child_text(root, "folder")
        subset, key, image = self._files.item(place, folder, child_text(root, "filename") or "")
        row = len(self._items["id"])
        shown_path = image or child_text(root, "filename") or None
        self._add_item(
            key, subset, "image", None if image is None else str(self._source.root), shown_path,
            *self._size(root, path), ANNOTATED,
        )  # fmt: skip
        self._read_objects(root, path, row, LabelMeMasks(self._source, self._files, place, folder or ""))

    def _size(self, root: Any, path: Path) -> tuple[int | None, int | None]:
        """Height and width, if the file says both."""
        element = root.find("imagesize")
        if element is None:
            return None, None
        found = []
        for name in ("nrows", "ncols"):
            text = child_text(element, name) or "0"
            if not text.isdecimal() or int(text) >= 1 << 31:
                self._report.problem(
                    f"it is {shown(text)}; it must be a number of pixels", path, line_of(element), name
                )
                return None, None
            found.append(int(text))
        return (found[0], found[1]) if all(found) else (None, None)

    def _read_objects(self, root: Any, path: Path, row: int, files: LabelMeMasks) -> None:
        good: list[tuple[list[Values], Values]] = []
        links = []
        for element in root.iterfind("object"):
            try:
                links.append(link_of(element))
                deleted = child_text(element, "deleted") not in (None, "", "0")
                if deleted and not self._options.deleted:
                    self._deleted += 1
                    continue
                shapes, details = self._object(element, files)
            except LabelMeObjectError as error:
                self._report.problem(str(error), path, line_of(element), error.field)
                continue
            details["status"] = DELETED if deleted else None
            good.append((shapes, details))
        groups = groups_of([link for link in links if link is not None])
        free = max(groups.values(), default=0) + 1
        for shapes, details in good:
            group = groups.get(details["id"])
            if group is None and len(shapes) > 1:
                group, free = free, free + 1
            for shape in shapes:
                attributes = {**details["attributes"], **shape.pop("attributes", {})}
                text = attributes_text(attributes, f"object {details['id']} of {path}")
                self._rows.add(row, **{**details, **shape, "group": group, "attributes": text})

    def _object(self, element: Any, files: LabelMeMasks) -> tuple[list[Values], Values]:
        """Shapes of an object, of which the second and later ones are scribbles, and what is known about it."""
        polygon, segment = element.find("polygon"), element.find("segm")
        if polygon is None and segment is None:
            raise LabelMeObjectError("it has neither a polygon nor a segm, the element of masks", "object")
        shape = polygon if polygon is not None else segment
        details = details_of(element, shape)
        name = child_text(element, "name")
        if polygon is not None:
            found = [self._region(polygon, child_text(element, "type"))]
        else:
            found = [files.mask(MASKS, child_text(segment, "mask"))]
            found += self._scribbles_of(segment, files)
        details["label"] = self._labels.setdefault(name, len(self._labels)) if name else None
        return found, details

    def _region(self, polygon: Any, kind: str | None) -> Values:
        points = points_of(polygon)
        x, y = points[::2], points[1::2]
        if kind == BOUNDING_BOX and len(x) > 1:
            return {"type": "bbox", "box": (min(x), min(y), max(x) - min(x), max(y) - min(y))}
        if len(x) < 3:
            raise LabelMeObjectError(f"a polygon has {len(x)} points; it must have 3 or more", "polygon")
        return {"type": "polygon", "points": points}

    def _scribbles_of(self, segment: Any, files: LabelMeMasks) -> Iterator[Values]:
        for element in segment.iterfind("scribbles"):
            if not self._options.scribbles:
                self._scribbles += 1
            elif file := child_text(element, "scribble_name"):
                yield {**files.mask(SCRIBBLES, file), "attributes": {"scribble": True}}


class LabelMeMasks:
    """Reads the masks that an XML file names.

    Parameters:
        source: the folder.
        files: finds files.
        name: of the XML file.
        folder: that it names.
    """

    def __init__(self, source: SourceFolder, files: LabelMeFiles, name: LabelMeName, folder: str) -> None:
        self._source = source
        self._files = files
        self._name = name
        self._folder = folder

    def mask(self, kind: str, file: str | None) -> Values:
        """Columns of a mask.

        Parameters:
            kind: folder of the file.
            file: its name.

        Raises:
            LabelMeObjectError: there is no such file, or it is no image.
        """
        field = "mask" if kind == MASKS else "scribble_name"
        found = self._files.mask(self._name, kind, self._folder, file) if file else None
        if found is None:
            raise LabelMeObjectError(f"there is no file {shown(file or '')} in {kind}", field)
        path = str(self._source.path(found))
        try:
            rle = masks.encode(painted(pixels.decode(path, path)))
        except (ImageError, MediaError) as error:
            raise LabelMeObjectError(str(error), field) from error
        height, width = rle["size"]
        return {
            "type": "mask",
            "box": masks.box(rle),
            "area": float(masks.area(rle)),
            "mask": rle["counts"],
            "mask_height": height,
            "mask_width": width,
        }


def painted(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The pixels that belong to a mask: those that are not transparent, or, if none is, those that are not black."""
    if image.ndim == 2:
        return image
    if image.shape[2] == 4 and not image[:, :, 3].all():
        return image[:, :, 3]
    return image[:, :, :3].max(axis=2)  # type: ignore[no-any-return]
