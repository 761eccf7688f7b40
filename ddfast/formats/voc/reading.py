"""Reads Pascal VOC datasets into tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.gather import spread, take_rows
from ddfast.annotated.paths import inner_path, item_id
from ddfast.annotated.source_folder import ImageFinder
from ddfast.annotated.tables import Tables, with_column
from ddfast.errors import AnnotationError, EscapingPathError, FormatError, ImageError, MediaError
from ddfast.formats.voc.annotation_files import AnnotationFiles
from ddfast.formats.voc.label_map import LabelMapEntry, given_label_map, parse_label_map, voc_map
from ddfast.formats.voc.labels import VocLabels
from ddfast.formats.voc.layout import (
    FOLDERS,
    IMAGE_FOLDERS,
    Root,
    class_list,
    form_of,
    lines_of,
    listed_id,
    roots_of,
    split_subset,
    whole,
)
from ddfast.formats.voc.mask_files import MaskColumns, MaskFiles

if TYPE_CHECKING:
    from pathlib import Path

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.voc.annotation_files import Head
    from ddfast.formats.voc.options import VocReadOptions

LABEL_MAPS = ("labelmap.txt", "label_map.txt")


@dataclass(frozen=True, slots=True)
class Member:
    """That an item is in a subset.

    Attributes:
        subset: its name.
        file: row of the files of the item.
    """

    subset: str
    file: int


def read(source: SourceFolder, options: VocReadOptions, report: Report, tasks: Sequence[str]) -> Tables:
    """The tables of a folder, or of the subset whose list the user named.

    Raises:
        FormatError: there is nothing of the format, or something makes no sense.
    """
    source, chosen = whole(source)
    return VocTables(source, options, report, tasks).read(chosen)


class VocTables:
    """Collects the items and annotations of a folder.

    An item of several subsets has its files read once, and is repeated at the end.

    Parameters:
        source: the folder.
        options: of the format.
        report: for problems and progress.
        tasks: what to read.
    """

    def __init__(
        self, source: SourceFolder, options: VocReadOptions, report: Report, tasks: Sequence[str]
    ) -> None:
        self._source = source
        self._report = report
        self._tasks = tasks
        self._image_folders = [*filter(None, [options.images.strip("/")]), *IMAGE_FOLDERS, ""]
        self._roots = roots_of(source, options.annotations, options.images)
        self._map = self._label_map(options)
        self._names = {entry.name for entry in self._map or ()}
        self._actions = {action for entry in self._map or () for action in entry.actions}
        masks = "segmentation" in tasks and any(root.class_masks or root.object_masks for root in self._roots)
        if self._map is None and masks:
            self._map = voc_map()
        self._labels = VocLabels(self._map, "layout" in tasks)
        self._files = AnnotationFiles(
            self._labels,
            report,
            parts="layout" in tasks,
            actions="action" in tasks,
            one_based=options.one_based,
        )
        self._masks = MaskFiles(self._map or [], report)
        self._members: dict[tuple[str, int], int] = {}  # row of each subset and file
        self._ids: dict[tuple[int, str], int] = {}  # file of each root and id
        self._classes: list[tuple[int, int]] = []  # row and label

    def _label_map(self, options: VocReadOptions) -> list[LabelMapEntry] | None:
        given = given_label_map(options.label_map)
        if given is not None:
            return given
        for root in self._roots:
            for name in self._source.files:
                if name.startswith(root.prefix) and name[len(root.prefix) :].lower() in LABEL_MAPS:
                    return parse_label_map(self._source.text(name), self._source.path(name))
        return None

    def read(self, chosen: str | None) -> Tables:
        """The tables of everything, or of one list or annotation file.

        Raises:
            FormatError: there is nothing of the format, or something makes no sense.
        """
        for number, root in enumerate(self._roots):
            if root.lists:
                self._read_lists(number, root, chosen)
            else:
                self._take_all(number, root, chosen)
        if not self._ids:
            raise FormatError(
                f"{self._source} has no lists in ImageSets and no annotation files of Pascal VOC"
            )
        self._note_unlisted(chosen)
        return self._finish(self._read_files())

    # -- which items there are

    def _member(self, subset: str, number: int, key: str) -> int:
        """The row of an item of a subset, which is added if it is new."""
        file = self._ids.setdefault((number, key), len(self._ids))
        return self._members.setdefault((subset, file), len(self._members))

    def _read_lists(self, number: int, root: Root, chosen: str | None) -> None:
        lists = [
            one for one in root.lists_of(self._tasks) if chosen is None or one[1].lower() == chosen.lower()
        ]
        texts = {name: list(lines_of(self._source.text(name))) for _, name, _ in lists}
        classes = []
        for folder, name, stem in lists:
            stems = {other for same, _, other in root.lists if same == folder}
            known = self._actions if folder == FOLDERS["action"] else self._names
            found = class_list([line for _, line in texts[name]], stem, stems - {stem}, known)
            if found is not None:
                classes.append((folder, name, *found))
                continue
            for line_number, line in texts[name]:
                key = self._listed(line, folder, root, name, line_number)
                if key:
                    self._member(stem, number, key)
        if "classification" in self._tasks:
            self._read_classes(number, root, classes, texts, chosen)

    def _listed(self, line: str, folder: str, root: Root, name: str, number: int) -> str | None:
        """The id in a line of a list; None if it makes no sense."""
        try:
            return inner_path(listed_id(line, folder, root))
        except EscapingPathError as error:
            self._report.problem(str(error), self._source.path(name), f"line {number}")
            return None

    def _read_classes(
        self,
        number: int,
        root: Root,
        classes: list[tuple[str, str, str, str]],
        texts: dict[str, list[tuple[int, str]]],
        chosen: str | None,
    ) -> None:
        """The labels of whole images: one list for each label and subset."""
        if chosen is not None:
            classes, texts = self._classes_of(root, chosen)
        order = {entry.name: place for place, entry in enumerate(self._map or voc_map())}
        for folder, name, label, subset in sorted(classes, key=lambda one: order.get(one[2], len(order))):
            if folder != FOLDERS["classification"]:
                continue
            for line_number, line in texts[name]:
                key, mark = line.rsplit(maxsplit=1)
                if mark == "1":
                    found = self._listed(key, "", root, name, line_number)
                    if found:
                        row = self._member(subset, number, found)
                        self._classes.append((row, self._labels.number(label)))

    def _classes_of(self, root: Root, chosen: str) -> tuple[list[Any], dict[str, list[tuple[int, str]]]]:
        """The lists of labels that belong to the list of a subset that the user named."""
        subset = next((stem for _, name, stem in root.lists if name.lower() == chosen.lower()), "")
        classes, texts = [], {}
        for folder, name, stem in root.lists:
            if folder != FOLDERS["classification"] or not stem.endswith(f"_{subset}"):
                continue
            texts[name] = list(lines_of(self._source.text(name)))
            found = class_list([line for _, line in texts[name]], stem, {subset}, self._names)
            if found is not None:
                classes.append((folder, name, *found))
        return classes, texts

    def _take_all(self, number: int, root: Root, chosen: str | None) -> None:
        """Items of all annotation files and images, where no list names them."""
        for form, key in root.items().items():
            if chosen is None or root.xml.get(form, "").lower() == chosen.lower():
                self._member(split_subset(key)[0], number, key)

    def _note_unlisted(self, chosen: str | None) -> None:
        if chosen is not None:
            return
        listed = {(number, form_of(key)) for number, key in self._ids}
        count = sum(
            (number, form) not in listed
            for number, root in enumerate(self._roots)
            if root.lists_of(self._tasks) == root.lists
            for form in root.names
        )
        if count:
            self._report.notes.append(f"{count:,} images and annotation files are in no list of ImageSets")

    # -- what is in their files

    def _read_files(self) -> dict[str, list[Any]]:
        """Columns of the items of all files; reads the annotation files and masks."""
        names = ("id", "kind", "place", "path", "height", "width")
        columns: dict[str, list[Any]] = {name: [] for name in names}
        finders = [
            ImageFinder(self._source, [f"{root.prefix}{folder}" for folder in self._image_folders])
            for root in self._roots
        ]
        for (number, key), file in self._ids.items():
            root = self._roots[number]
            head = self._read_xml(root, key, file)
            if "segmentation" in self._tasks:
                self._read_masks(root, key, file, head)
            place, path = self._image(finders[number], key, head)
            size = (head.height, head.width) if head is not None else (None, None)
            item = key if root.lists else split_subset(key)[1]
            item = f"{root.prefix}{item}" if len(self._roots) > 1 else item
            for column, value in zip(columns.values(), (item, "image", place, path, *size), strict=True):
                column.append(value)
            if file % 1000 == 0:
                self._report.advance(file, len(self._ids))
        return columns

    def _read_xml(self, root: Root, key: str, file: int) -> Head | None:
        name = root.xml.get(form_of(key))
        if name is None or not {"detection", "action", "layout"} & set(self._tasks):
            return None
        return self._files.read(self._source.path(name), file)

    def _read_masks(self, root: Root, key: str, file: int, head: Head | None) -> None:
        form = form_of(key)
        paths: list[Path | None] = [
            self._source.path(found[form]) if form in found else None
            for found in (root.class_masks, root.object_masks)
        ]
        if paths == [None, None]:
            return
        try:
            groups = self._masks.read(paths[0], paths[1], file)
        except (MediaError, ImageError, AnnotationError) as error:
            self._report.problem(str(error), paths[0] or paths[1])
            return
        for group, label in groups:  # objects are numbered as in the annotation file
            if head is not None and 0 < group <= len(head.objects):
                found = head.objects[group - 1]
                if found is not None and found[1] == label:
                    self._files.boxes.group[found[0]] = group

    @staticmethod
    def _image(finder: ImageFinder, key: str, head: Head | None) -> tuple[str | None, str | None]:
        """Folder and relative path of the image of an item; the name alone if there is no such file."""
        name = head.filename if head is not None else None
        candidates = [key] if name is None else [name, key] if item_id(name) == key else [key, name]
        for candidate in candidates:
            try:
                found = finder.find(inner_path(candidate))
            except EscapingPathError:
                continue
            if found is not None:
                return found
        return None, name and name.replace("\\", "/").rpartition("/")[2]

    # -- tables

    def _finish(self, columns: dict[str, list[Any]]) -> Tables:
        categories, final = self._labels.finish(
            any(root.lists for root in self._roots), "segmentation" in self._tasks
        )
        if self._map is not None and self._labels.added:
            names = ", ".join(map(repr, self._labels.added))
            self._report.notes.append(f"Labels that the label map lacks were added after its own: {names}")
        if self._files.shapes:
            self._report.notes.append(
                f"{self._files.shapes:,} polygons and rotated boxes of objects were not read, only their boxes"
            )
        items = TableBuilder.of_items()
        items.add(len(self._ids), **columns)
        annotations = TableBuilder.of_annotations()
        boxes, masks = self._files.boxes, self._masks.columns
        if len(boxes):
            annotations.add(len(boxes), type="bbox", **_box_columns(vars(boxes), final))
        if len(masks):
            annotations.add(len(masks), type="mask", **_mask_columns(masks, final))
        files = Tables.of(items.finish(), annotations.finish(), categories)
        return self._in_subsets(files, final)

    def _in_subsets(self, files: Tables, final: Any) -> Tables:
        """The items of all subsets, each with the annotations of its files and its labels."""
        import pyarrow as pa

        order, subsets = self._order()
        rows = np.array([file for _, file in self._members], np.int64)[order]
        whole_items = np.array_equal(rows, np.arange(files.items.num_rows))
        items = files.items if whole_items else files.items.take(rows)
        items = with_column(items, "subset", pa.array(subsets).dictionary_encode())
        counts = files.starts[rows + 1] - files.starts[rows]
        annotations = files.annotations
        if not whole_items:
            taken = spread(files.starts[rows], counts)
            unique = len(rows) == files.items.num_rows
            annotations = take_rows(annotations, taken) if unique else annotations.take(taken)
            own = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
            annotations = with_column(annotations, "item", own) if annotations.num_columns else annotations
        if not self._classes:
            return Tables.of(items, annotations, files.categories)
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        both = TableBuilder.of_annotations()
        found = np.array(self._classes, np.int64)
        both.add(len(found), item=place[found[:, 0]].astype(np.int32), type="label", label=final[found[:, 1]])
        if annotations.num_rows:
            both.add_table(annotations)
        return Tables.of(items, both.finish(), files.categories)

    def _order(self) -> tuple[Any, list[str]]:
        """The order of the items, subset by subset, and the subset of each."""
        names = list(dict.fromkeys(subset for subset, _ in self._members))
        numbers = np.array([names.index(subset) for subset, _ in self._members], np.int64)
        order = np.argsort(numbers, kind="stable")
        return order, [names[number] for number in numbers[order]]


def _box_columns(columns: dict[str, list[Any]], final: Any) -> dict[str, Any]:
    sizes = {name: np.array(columns[name], np.float64) for name in ("x", "y", "width", "height")}
    return {
        **columns,
        **sizes,
        "item": np.array(columns["item"], np.int32),
        "label": final[np.array(columns["label"], np.int64)],
        "area": sizes["width"] * sizes["height"],
    }


def _mask_columns(masks: MaskColumns, final: Any) -> dict[str, Any]:
    import pyarrow as pa

    labels = np.array([NO_LABEL if label is None else label for label in masks.label], np.int64)
    known = labels != NO_LABEL
    return {
        **vars(masks),
        "label": pa.array(
            final[np.where(known, labels, 0)] if len(final) else labels.astype(np.int32), mask=~known
        ),
    }


NO_LABEL = -1


def annotation_heads(source: SourceFolder, count: int = 3) -> Iterator[tuple[str, bytes]]:
    """Names and first bytes of a few XML files whose root is ``<annotation>``."""
    for name in source.candidates(".xml")[:count]:
        head = source.head(name)
        if b"<annotation" in head:
            yield name, head
