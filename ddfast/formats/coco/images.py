"""The images of COCO files as rows of the table of items."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.json_values import strings
from ddfast.annotated.paths import inner_path, item_id
from ddfast.annotated.source_folder import ImageFinder
from ddfast.errors import EscapingPathError
from ddfast.formats.coco.ids import NONE, Lookup, TextIds, other_texts
from ddfast.tools.json_columns import PRESENT, JSONReader

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.coco.files import AnnotationFile
    from ddfast.tools.json_columns import JSONColumn, JSONTable

LVIS = ("not_exhaustive_category_ids", "neg_category_ids")
"""Members of images that are always kept: they say which categories were looked for."""

IMAGES: dict[str, Any] = {
    "id": "int", "file_name": "string", "width": "int", "height": "int", "coco_url": "string", "attributes": "raw",
    **dict.fromkeys(LVIS, "raw"),
}  # fmt: skip

# Kinds of records, by their members, that are told apart to count members.
MAX_KINDS = 32

Problem = Callable[[str, str], None]
"""Called with the place in the file and what is wrong there."""


class Items:
    """Collects the images of several files.

    Parameters:
        source: the folder.
        report: gets notes.
        extra: whether members of images that the model does not know become attributes.
    """

    def __init__(self, source: SourceFolder, report: Report, extra: bool) -> None:
        self._source = source
        self._report = report
        self._extra = extra
        self._rows: dict[tuple[str, str], int] = {}
        self._names: list[str] = []
        self._finders: dict[str, ImageFinder] = {}
        self._left_out: Counter[str] = Counter()
        self._columns: dict[str, list[Any]] = {
            name: [] for name in ("id", "subset", "kind", "place", "path", "height", "width", "attributes")
        }

    def add(
        self, table: JSONTable, file: AnnotationFile, images: Lookup, texts: TextIds, problem: Problem
    ) -> None:
        """Add the images of a chunk, and their rows to ``images``."""
        ids = texts.of(table.columns["id"])[0]
        names = _file_names(table)
        sizes = [_sizes(table, name) for name in ("height", "width")]
        attributes = self._attributes(table, ids, texts)
        finder = self._finder_of(file)
        rows = np.full(table.rows, -1, np.int64)
        for row, (number, name, height, width) in enumerate(zip(ids.tolist(), names, *sizes, strict=True)):
            if number == NONE or not name:
                problem(
                    f"record {table.first + row} of images",
                    "it needs an id, which is an integer, and a file name",
                )
                continue
            rows[row] = self._item(file.subset, finder, name, height, width, attributes[row])
        good = rows >= 0
        images.add(ids[good], rows[good])

    def add_unnamed(self, subset: str, text: str, attributes: str) -> int:
        """Add an item of which only the id of its image is known, and return its row."""
        return self._item(subset, None, text, None, None, attributes)

    def _item(
        self,
        subset: str,
        finder: ImageFinder | None,
        name: str,
        height: int | None,
        width: int | None,
        attributes: str,
    ) -> int:
        """The row of an item, which is added if no earlier file has it."""
        path = _inner(name)
        key = (subset, item_id(path))
        row = self._rows.get(key)
        if row is not None and self._names[row] != path:  # a.jpg and a.png are two images
            key = (subset, path)
            row = self._rows.get(key)
        columns = self._columns
        if row is None:
            row = self._rows[key] = len(self._rows)
            self._names.append(path)
            place, found = (finder and finder.find(path)) or (None, path)
            values = (key[1], key[0], "image", place, found if finder else None, height, width, attributes)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
        elif columns["height"][row] is None:
            columns["height"][row], columns["width"][row] = height, width
        return row

    def _attributes(self, table: JSONTable, ids: npt.NDArray[np.int64], texts: TextIds) -> list[str]:
        """The attributes of each image as JSON: its id as the file has it, and what else is kept."""
        found = [f'"id": {number}' for number in ids.tolist()]
        for row, _ in other_texts(table.columns["id"]):
            found[row] = f'"id": {texts.shown(int(ids[row]))}'
        for name in LVIS:
            for row, text in _present(table.columns[name]):
                found[row] += f', "{name}": {text}'
        for row, text in _present(table.columns["attributes"]):
            if text.startswith("{") and text.strip("{} \n\t"):
                found[row] += f", {text.strip()[1:-1].strip()}"
        self._extra_members(table, found)
        return [f"{{{text}}}" for text in found]

    def _extra_members(self, table: JSONTable, found: list[str]) -> None:
        """Add members that the model does not know to the attributes of images, or count them."""
        addresses = table.columns["coco_url"]
        if self._extra:
            for row, text in _present(addresses):
                found[row] += f', "coco_url": {json.dumps(text, ensure_ascii=False)}'
            for row, text in _present(table.extra):
                found[row] += f", {text.strip()[1:-1]}"
            return
        self._left_out["coco_url"] += int((_lengths(addresses)[0] > 0).sum())
        if table.extra is not None:
            self._left_out.update(members(table.extra))

    def _finder_of(self, file: AnnotationFile) -> ImageFinder:
        if file.name in self._finders:
            return self._finders[file.name]
        folder = file.name.rpartition("/")[0]
        plain = re.sub(r"\d+$", "", file.subset)
        folders = [
            f"images/{file.subset}", f"{file.subset}/images", file.subset, f"images/{plain}", plain,
            folder, f"{folder}/images", "images", "data", "",
        ]  # fmt: skip
        self._finders = {file.name: ImageFinder(self._source, folders)}
        return self._finders[file.name]

    def finish(self) -> pa.Table:
        """The table of all items."""
        left_out = +self._left_out
        if left_out:
            names = ", ".join(f"{name} ({count:,})" for name, count in left_out.items())
            self._report.notes.append(
                f"Members of images that were left out: {names}. Pass extra=True (--extra) to keep them as attributes"
            )
        items = TableBuilder.of_items()
        items.add(len(self._rows), **self._columns)
        return items.finish()


def _inner(name: str) -> str:
    try:
        return inner_path(name)
    except EscapingPathError:
        return inner_path(name.replace("\\", "/").rpartition("/")[2])


def _file_names(table: JSONTable) -> list[str | None]:
    """Names of images; those without one have the last two parts of their address, as LVIS has it."""
    names: list[str | None] = strings(table.columns["file_name"]).to_pylist()
    if not all(names):
        for row, address in _present(table.columns["coco_url"]):
            names[row] = names[row] or "/".join(address.split("/")[-2:])
    return names


def members(column: JSONColumn) -> Counter[str]:
    """How many of some objects have each member with a value other than ``null``, ``0``, ``""``, ``[]`` and ``{}``.

    Parameters:
        column: "raw", of objects.
    """
    found: Counter[str] = Counter()
    _count_members(column, found, MAX_KINDS)
    return found


def _count_members(column: JSONColumn | None, found: Counter[str], kinds: int) -> None:
    """Count the members that the first object has, and then those of objects with others."""
    lengths = _lengths(column)[0] if column is not None else np.empty(0, np.int32)
    ends = np.cumsum(lengths)[lengths > 0]
    if column is None or not len(ends) or not kinds:
        return
    names = list(json.loads(column.values[: ends[0]].tobytes()))
    listed = np.insert(column.values, ends[:-1], ord(",")).tobytes()
    for table in JSONReader(b"[%b]" % listed, {"": dict.fromkeys(names, "raw")}, extra=True):
        for name, values in table.columns.items():
            lengths, first = _lengths(values)
            nothing = (lengths == 0) | ((lengths == 1) & (first == ord("0")))
            nothing |= (lengths == 2) & np.isin(first, list(b'"[{'))
            found[name] += int((~nothing).sum())
        _count_members(table.extra, found, kinds - 1)


def _present(column: Any) -> list[tuple[int, str]]:
    """Row and text of each value."""
    rows = np.flatnonzero(column.states == PRESENT) if column is not None else np.empty(0, np.int64)
    if not len(rows):
        return []
    return list(zip(rows.tolist(), strings(column).take(rows).to_pylist(), strict=True))


def _lengths(column: JSONColumn) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Number of bytes of each text, and the first of them."""
    offsets = column.offsets
    assert offsets is not None
    return np.diff(offsets), np.append(column.values, 0)[offsets[:-1]]


def _sizes(table: JSONTable, name: str) -> list[int | None]:
    """Heights or widths of images; None where there is none, or none that makes sense."""
    column = table.columns[name]
    good = (column.states == PRESENT) & (column.values > 0) & (column.values < 2**31)
    return [
        value if known else None for value, known in zip(column.values.tolist(), good.tolist(), strict=True)
    ]
