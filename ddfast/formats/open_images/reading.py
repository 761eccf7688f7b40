"""Reads the files of Open Images into tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks, pixels
from ddfast.annotated.annotation_rows import AnnotationRows
from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.checks import shown
from ddfast.annotated.image_files import ImageFiles
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.rows import attributes_text
from ddfast.annotated.tables import Tables
from ddfast.errors import ImageError, MediaError
from ddfast.formats.json_file import parse_json
from ddfast.formats.open_images.csv_file import CsvTable
from ddfast.formats.open_images.items import OpenImagesItems
from ddfast.formats.open_images.layout import (
    BOXES,
    CLASSES,
    FLAGS,
    HIERARCHY,
    LABELS,
    MACHINE,
    MASKS,
    OTHERS,
    CsvName,
    csv_names,
)  # fmt: skip

if TYPE_CHECKING:
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.open_images.options import OpenImagesReadOptions

__all__ = ["OpenImagesReader"]

COMMON = ("ImageID", "Source", "LabelName", "Confidence")
SIDES = ("XMin", "XMax", "YMin", "YMax")
MASK_COLUMNS = (
    "MaskPath",
    "ImageID",
    "LabelName",
    "BoxID",
    *(f"Box{side}" for side in SIDES),
    "PredictedIoU",
)

# Boxes in files of masks have six digits.
DIGITS = 5

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class OpenImagesReader:
    """Reads a folder.

    Parameters:
        source: the folder.
        options: of the format.
        report: for problems, notes and progress.
    """

    def __init__(self, source: SourceFolder, options: OpenImagesReadOptions, report: Report) -> None:
        self._source = source
        self._report = report
        self._items = OpenImagesItems(source, options.image_meta, report)
        self._builder = TableBuilder.of_annotations()
        self._names: list[str] = []
        self._boxes: dict[tuple[Any, ...], int] = {}  # group by item, label and rounded sides
        self._groups: set[int] = set()

    def read(self) -> Tables:
        """The tables of all files."""
        self._items.read_lists()
        for name in csv_names(self._source, CLASSES):
            table = CsvTable(self._source.path(name.path), ["LabelName", "DisplayName"], self._report, False)
            self._names += [text for text in table.texts("LabelName").to_pylist() if text != "LabelName"]
        self._names = list(dict.fromkeys(self._names))
        categories = self._categories()
        for name in [*csv_names(self._source, LABELS), *csv_names(self._source, MACHINE)]:
            self._read_labels(name)
        mask_files = csv_names(self._source, MASKS)
        for name in csv_names(self._source, BOXES):
            self._read_boxes(name, bool(mask_files))
        rows = AnnotationRows("area", "mask", "mask_height", "mask_width", "group", "attributes")
        for name in mask_files:
            self._read_masks(name, rows)
        self._builder.add_table(rows.finish())
        others = csv_names(self._source, OTHERS)
        if others:
            self._report.notes.append(f"{len(others):,} files of relations or points were not read")
        return Tables.of(self._items.finish(), self._builder.finish(), {AnnotationType.label: categories})

    def _categories(self) -> LabelCategories:
        parents: dict[str, str] = {}
        for path in self._source.files:
            if path.rpartition("/")[2] == HIERARCHY:
                form = parse_json(self._source.path(path).read_bytes(), self._source.path(path), self._report)
                _collect_parents(form, parents)
        known = set(self._names)
        found = LabelCategories()
        for name in self._names:
            parent = parents.get(name, "")
            found.add(name, parent if parent in known else "")
        return found

    def _labels(self, table: CsvTable) -> Integers:
        """The label of each row, -1 for none, -2 for those that are unknown, which are reported."""
        encoded = table.texts("LabelName").dictionary_encode()
        index = {name: number for number, name in enumerate(self._names)}
        names = encoded.dictionary.to_pylist()
        numbers = np.array([index.get(name, -2) if name else -1 for name in names], np.int64)
        labels: Integers = numbers[encoded.indices.to_numpy(zero_copy_only=False)]
        for row in np.flatnonzero(labels == -2).tolist():
            name = encoded[row].as_py()
            table.problem(row, f"label {shown(name)} is not in the file of class descriptions", "LabelName")
        return labels

    def _common(
        self, table: CsvTable, subset: str
    ) -> tuple[Integers, Integers, Floats, npt.NDArray[np.bool_]]:
        """Item, label and score of each row, and whether it makes sense."""
        labels = self._labels(table)
        scores = table.numbers("Confidence", 1.0)
        return (
            self._items.rows_of(table.texts("ImageID"), subset),
            labels,
            scores,
            (labels > -2) & ~np.isnan(scores),
        )

    def _add(self, name: str, good: Any, items: Integers, labels: Integers, columns: dict[str, Any]) -> None:
        import pyarrow as pa

        rows = np.flatnonzero(good)
        chosen = {
            key: values.take(rows) if isinstance(values, pa.Array) else values[rows]
            for key, values in columns.items()
        }
        label = pa.array(labels[rows].astype(np.int32), mask=labels[rows] < 0)
        self._builder.add(len(rows), type=name, item=items[rows].astype(np.int32), label=label, **chosen)

    def _read_labels(self, name: CsvName) -> None:
        table = CsvTable(self._source.path(name.path), COMMON, self._report)
        items, labels, scores, good = self._common(table, name.subset)
        for row in np.flatnonzero(labels == -1).tolist():
            table.problem(row, "there is no label", "LabelName")
        self._add(
            "label", good & (labels >= 0), items, labels, {"score": scores, "source": table_source(table)}
        )

    def _read_boxes(self, name: CsvName, with_masks: bool) -> None:
        import pyarrow as pa

        table = CsvTable(self._source.path(name.path), [*COMMON, *SIDES, *FLAGS], self._report)
        items, labels, scores, good = self._common(table, name.subset)
        sides = np.stack([table.numbers(side, np.nan) for side in SIDES], axis=1)
        sizes = self._items.sizes_of(items)
        good &= self._checked(table, sides, sizes, good)
        left, right, top, bottom = (sides * np.repeat(sizes, 2, axis=1)).T
        groups = self._grouped(items, labels, sides, good) if with_masks else np.zeros(len(items), np.int64)
        self._add("bbox", good, items, labels, {
            "x": left, "y": top, "width": right - left, "height": bottom - top,
            "area": (right - left) * (bottom - top), "score": scores, "source": table_source(table),
            "group": pa.array(groups, mask=groups == 0), "attributes": _flags(table),
        })  # fmt: skip

    def _checked(self, table: CsvTable, sides: Floats, sizes: Floats, good: Any) -> npt.NDArray[np.bool_]:
        """Which boxes have four sides in their order, and an image of known size; others are reported."""
        numbers = np.isfinite(sides).all(axis=1)
        ordered = (sides[:, 1] >= sides[:, 0]) & (sides[:, 3] >= sides[:, 2])
        known = ~np.isnan(sizes[:, 0])
        for row in np.flatnonzero(good & ~(numbers & ordered)).tolist():
            table.problem(row, f"the sides are {sides[row].tolist()}; they must be numbers, XMax and YMax not"
                          " less than XMin and YMin", "XMin")  # fmt: skip
        for row in np.flatnonzero(good & numbers & ordered & ~known).tolist():
            key = table.texts("ImageID")[row].as_py()
            table.problem(row, f"the size of image {key} is unknown, to which boxes are relative: it is neither in"
                          " images.meta nor is the image there", "ImageID")  # fmt: skip
        result: npt.NDArray[np.bool_] = numbers & ordered & known
        return result

    def _grouped(self, items: Integers, labels: Integers, sides: Floats, good: Any) -> Integers:
        """A group for each box, from 1 in each item, by which its mask finds it."""
        groups = np.zeros(len(items), np.int64)
        counts: dict[int, int] = {}
        short = np.round(sides, DIGITS)
        for row in np.flatnonzero(good).tolist():
            item = int(items[row])
            counts[item] = groups[row] = counts.get(item, 0) + 1
            self._boxes.setdefault((item, int(labels[row]), *short[row].tolist()), int(groups[row]))
        return groups

    def _read_masks(self, name: CsvName, rows: AnnotationRows) -> None:
        table = CsvTable(self._source.path(name.path), MASK_COLUMNS, self._report)
        items, labels = self._items.rows_of(table.texts("ImageID"), name.subset), self._labels(table)
        sides = np.round(np.stack([table.numbers(f"Box{side}", np.nan) for side in SIDES], axis=1), DIGITS)
        iou = table.numbers("PredictedIoU", np.nan)
        sizes, keys = self._items.sizes_of(items), self._items.keys()
        files = ImageFiles(self._source)
        paths, boxes = table.texts("MaskPath").to_pylist(), table.texts("BoxID").to_pylist()
        for row in np.flatnonzero(labels > -2).tolist():
            subset = keys[items[row]][0]
            places = [f"masks/{subset}/{paths[row]}", f"masks/{paths[row]}", paths[row]]
            rle = self._mask(table, row, files.find(places) if paths[row] else None, sizes[row])
            if rle is None:
                continue
            attributes: dict[str, Any] = {"box_id": boxes[row]} if boxes[row] else {}
            if not np.isnan(iou[row]):
                attributes["predicted_iou"] = float(iou[row])
            rows.add(
                int(items[row]), "mask", box=masks.box(rle), area=float(masks.area(rle)), mask=rle["counts"],
                mask_height=rle["size"][0], mask_width=rle["size"][1],
                label=int(labels[row]) if labels[row] >= 0 else None,
                group=self._boxes.get((int(items[row]), int(labels[row]), *sides[row].tolist())),
                attributes=attributes_text(attributes, paths[row]),
            )  # fmt: skip

    def _mask(self, table: CsvTable, row: int, file: str | None, size: Floats) -> dict[str, Any] | None:
        """A mask at the size of its image."""
        if file is None:
            table.problem(row, "there is no such file in masks", "MaskPath")
            return None
        path = str(self._source.path(file))
        try:
            image = pixels.decode(path, path)
        except (ImageError, MediaError) as error:
            table.problem(row, str(error), "MaskPath")
            return None
        shape = image if image.ndim == 2 else image[:, :, :3].max(axis=2)
        if not np.isnan(size[0]):
            shape = resized(shape, int(size[1]), int(size[0]))
        return masks.encode(shape)


def resized(image: np.ndarray[Any, Any], height: int, width: int) -> np.ndarray[Any, Any]:
    """An image at another size: of each pixel the one at its upper left corner in the other."""
    rows = np.arange(height) * image.shape[0] // height
    columns = np.arange(width) * image.shape[1] // width
    return image if image.shape == (height, width) else image[rows[:, None], columns]


def table_source(table: CsvTable) -> Any:
    """How labels were made, such as ``verification`` or ``machine``; null if the file does not say it."""
    import pyarrow as pa
    from pyarrow import compute

    texts = table.texts("Source")
    return compute.if_else(compute.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _flags(table: CsvTable) -> Any:
    """The attributes of boxes, as a dictionary array of JSON texts."""
    import pyarrow as pa

    code = np.zeros(len(table), np.int64)
    for place, column in enumerate(FLAGS):
        values = np.nan_to_num(table.numbers(column, -1), nan=-1)
        code += np.clip(np.sign(values) + 1, 0, 2).astype(np.int64) * 3**place
    unique, indices = np.unique(code, return_inverse=True)
    texts = []
    for number in unique.tolist():
        digits = [number // 3**place % 3 for place in range(len(FLAGS))]
        known = {name: digit == 2 for name, digit in zip(FLAGS.values(), digits, strict=True) if digit}
        texts.append(json.dumps(known) if known else None)
    return pa.array(texts, pa.string()).take(pa.array(indices))


def _collect_parents(node: Any, parents: dict[str, str]) -> None:
    """The parent of each label in a tree of labels."""
    stack = [node]
    while stack:
        node = stack.pop()
        if not isinstance(node, dict):
            continue
        children = node.get("Subcategory") or []
        for child in children if isinstance(children, list) else []:
            if isinstance(child, dict) and "LabelName" in child:
                parents.setdefault(child["LabelName"], str(node.get("LabelName", "")))
            stack.append(child)
