"""Reads images and their label files into tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import Categories
from ddfast.annotated.gather import take_rows
from ddfast.annotated.image_sizes import SIZES_FILE, Size, read_sizes
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.pixels import read_header
from ddfast.annotated.tables import Tables
from ddfast.errors import FormatError, ImageError, MediaError
from ddfast.formats.yolo.meaning import BOX, CORNER_VALUES, POSE, UNKNOWN, Layout, Scaled, rectangles
from ddfast.formats.yolo.rows import Rows

if TYPE_CHECKING:
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.yolo.names import ClassNames
    from ddfast.formats.yolo.paths import Entry, Files

__all__ = ["LabelReader", "given_sizes", "items_table"]

# Label files that are read at a time.
BLOCK = 1024

# Between these relative coordinates must be: objects may reach beyond their image, but not by far.
LOWEST, HIGHEST = -1, 2

ANNOTATED = "annotated"
"""Status of items that have a label file, though it may be empty."""

MAX_SIDE_ERROR = 0.01
"""Of the smaller side: how far corners in a dataset of rotated boxes may be off."""

Integers = npt.NDArray[np.int64]


def given_sizes(source: SourceFolder, info: Any, report: Report) -> Mapping[str, Size]:
    """Sizes of images that a user gives as a map or file, or that are in the folder.

    Raises:
        FormatError: the file does not exist.
    """
    if isinstance(info, Mapping):
        return info
    if info:
        try:
            return read_sizes(Path(info).read_text("utf-8"), info, report)
        except FileNotFoundError:
            raise FormatError(f"{info}, the file with the sizes of images, does not exist") from None
    if SIZES_FILE in source.files:
        return read_sizes(source.text(SIZES_FILE), source.path(SIZES_FILE), report)
    return {}


class LabelReader:
    """Reads label files.

    Parameters:
        source: the folder.
        names: the classes.
        layout: what rows can be.
        sizes: of images, by their path or the id of their item.
        report: for problems, notes and progress.
    """

    def __init__(
        self,
        source: SourceFolder,
        names: ClassNames,
        layout: Layout,
        sizes: Mapping[str, Size],
        report: Report,
    ) -> None:
        self._root = str(source.root)
        self._names = names
        self._layout = layout
        self._guess = layout.task == "auto"
        self._given = sizes
        self._report = report
        self._found: dict[int, Size] = {}  # by row of the item
        self._builder = TableBuilder.of_annotations()
        self._mixed: list[str] = []

    def read(self, entries: Sequence[Entry], categories: Mapping[AnnotationType, Categories]) -> Tables:
        """The tables of images, in the order given."""
        for row, entry in enumerate(entries):
            size = self._given.get(entry.path) or self._given.get(entry.id)
            if size is not None:
                self._found[row] = size
        for first in range(0, len(entries), BLOCK):
            self._read_block(entries, range(first, min(first + BLOCK, len(entries))))
            self._report.advance(min(first + BLOCK, len(entries)), len(entries))
        if self._mixed:
            self._report.notes.append(
                f"{len(self._mixed):,} label files mix boxes with other rows, such as {self._mixed[0]}:"
                " each row was read as what it is, but training programs leave out one or the other"
            )
        items = items_table(self._root, entries, self._found)
        return Tables.of(items, self._builder.finish(), categories)

    def _read_block(self, entries: Sequence[Entry], numbers: range) -> None:
        items, paths, texts = [], [], []
        for number in numbers:
            name = entries[number].labels
            if name is None:
                continue
            path = f"{self._root}/{name}"
            with open(path, "rb") as file:  # noqa: PTH123 (faster)
                text = file.read()
            if text and not text.isspace():
                items.append(number)
                paths.append(path)
                texts.append(text)
        if not texts:
            return
        rows = Rows.parse(texts, lambda file, line, text: self._problem(paths[file], line, text))
        rows, sizes = self._sized(rows, entries, items, paths)
        if not len(rows):
            return
        if self._guess:
            self._layout, self._guess = replace(self._layout, task=guessed(rows, sizes)), False
        self._add(rows, sizes, np.array(items), paths)

    def _problem(self, path: str, line: int, text: str) -> None:
        self._report.problem(text, path, f"line {line}")

    def _sized(
        self, rows: Rows, entries: Sequence[Entry], items: Sequence[int], paths: Sequence[str]
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Rows whose image has a known size, and height and width for each file."""
        sizes = np.zeros((len(items), 2))
        for file in np.unique(rows.files).tolist():
            number = items[file]
            size = self._found.get(number) or self._header(entries[number], paths[file])
            if size is not None:
                self._found[number] = size
                sizes[file] = size
        known = sizes[rows.files, 0] > 0
        return rows if known.all() else rows.select(np.flatnonzero(known)), sizes

    def _header(self, entry: Entry, path: str) -> Size | None:
        if not entry.exists:
            self._report.problem(
                f"image {entry.path} is not there, and {SIZES_FILE} has no size of it:"
                " coordinates are relative to the size", path,
            )  # fmt: skip
            return None
        try:
            return read_header(f"{self._root}/{entry.path}", entry.path).size
        except (ImageError, MediaError) as error:
            self._report.problem(f"coordinates are relative to the size of the image: {error}", path)
            return None

    def _add(self, rows: Rows, sizes: npt.NDArray[np.float64], items: Integers, paths: Sequence[str]) -> None:
        layout = self._layout
        kinds, scored = layout.kinds(rows.counts)
        labels = self._names.labels_of(rows.column(np.arange(len(rows)), 0))
        good = self._checked(rows, kinds, labels, paths)
        if not good.all():
            rows, kinds, scored, labels = (
                rows.select(np.flatnonzero(good)),
                kinds[good],
                scored[good],
                labels[good],
            )
        if not len(rows):
            return
        plain = np.unique(rows.files[kinds == BOX])
        self._mixed += [paths[file] for file in np.intersect1d(plain, rows.files[kinds != BOX]).tolist()]
        heights, widths = sizes[rows.files].T
        parts = Scaled(rows, kinds, scored, labels, widths, heights, layout).parts()
        own = items[rows.files].astype(np.int32)
        if len(parts) == 1:
            self._builder.add(len(rows), item=own, **parts[0].columns)
            return
        block = TableBuilder.of_annotations()
        for part in parts:
            block.add(len(part.rows), item=own[part.rows], **part.columns)
        order = np.argsort(np.concatenate([part.rows for part in parts]), kind="stable")
        self._builder.add_table(take_rows(block.finish(), order))

    def _checked(
        self, rows: Rows, kinds: Integers, labels: Integers, paths: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        """Which rows make sense; others are reported."""
        counts, starts, values = rows.counts, rows.starts, rows.values
        good = np.ones(len(rows), bool)

        def refuse(bad: npt.NDArray[np.bool_], text: Any) -> None:
            for row in np.flatnonzero(bad & good).tolist():
                self._problem(paths[int(rows.files[row])], int(rows.lines[row]), text(row))
            good[bad] = False

        refuse(kinds == UNKNOWN, lambda row: f"it has {counts[row]} numbers; {self._layout.expected()}")
        refuse(labels < 0, lambda row: self._unknown_class(float(values[int(starts[row])])))
        outside = (values < LOWEST) | (values > HIGHEST)
        outside[starts[:-1]] = False
        far = np.add.reduceat(outside, starts[:-1]) > 0
        refuse(far, lambda row: (
            f"{_first(values, outside, int(starts[row])):g} is not relative to the image, from 0 to 1"
        ))  # fmt: skip
        boxed = np.flatnonzero(((kinds == BOX) | (kinds == POSE)) & good)
        negative = np.zeros(len(rows), bool)
        negative[boxed] = (rows.block(boxed, 3, 2) < 0).any(axis=1)
        refuse(negative, lambda row: "its width or height is negative")
        return good

    def _unknown_class(self, number: float) -> str:
        if number != int(number):
            return f"{number:g} is not a number of a class"
        return f"there is no class {number:.0f}; there are {len(self._names.numbers)}"


def _first(values: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_], start: int) -> float:
    """The first chosen value from a place on."""
    return float(values[start + int(np.argmax(chosen[start:]))])


def guessed(rows: Rows, sizes: npt.NDArray[np.float64]) -> str:
    """``"obb"`` if all rows are rectangles, otherwise ``"auto"``."""
    counts = rows.counts
    if not ((counts == CORNER_VALUES) | (counts == CORNER_VALUES + 1)).all():
        return "auto"
    scale = sizes[rows.files][:, None, ::-1]
    corners = rows.block(np.arange(len(rows)), 1, CORNER_VALUES - 1).reshape(-1, 4, 2) * scale
    box, _, error = rectangles(corners)
    return "obb" if (error <= np.maximum(box[:, 2:].min(axis=1) * MAX_SIDE_ERROR, 0.1)).all() else "auto"


def items_table(root: str, entries: Sequence[Entry], sizes: Mapping[int, Size]) -> Any:
    """The table of the items of images."""
    builder = TableBuilder.of_items()
    found = [sizes.get(row, (None, None)) for row in range(len(entries))]
    builder.add(
        len(entries),
        id=[entry.id for entry in entries],
        subset=[entry.subset for entry in entries],
        kind="image",
        place=[root if entry.exists else None for entry in entries],
        path=[entry.path for entry in entries],
        height=[height for height, _ in found],
        width=[width for _, width in found],
        status=[ANNOTATED if entry.labels is not None else None for entry in entries],
    )
    return builder.finish()


def note_unused(files: Files, report: Report) -> None:
    """Note label files that belong to no image."""
    unused = files.unused()
    if unused:
        report.notes.append(f"{len(unused):,} label files belong to no image, such as {unused[0]}")
