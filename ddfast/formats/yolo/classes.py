"""Ultralytics' layout for classification: the folder that an image is in says its class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.paths import item_id
from ddfast.annotated.tables import Tables, codes, integers
from ddfast.errors import FormatError
from ddfast.formats.yolo.names import ClassNames
from ddfast.formats.yolo.paths import Entry
from ddfast.formats.yolo.reading import items_table
from ddfast.formats.yolo.selection import Selection
from ddfast.formats.yolo.target import class_names, subset_names
from ddfast.formats.yolo.ultralytics_source import RESERVED, UltralyticsSource, configurations
from ddfast.formats.yolo.ultralytics_target import names_lines, write_lists, yaml_text

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.yolo.options import UltralyticsWriteOptions

__all__ = ["read_classes", "write_classes"]


def read_classes(source: SourceFolder, report: Report) -> Tables:
    """The tables of folders ``SUBSET/CLASS/IMAGE``. Ids of items have the folder of the class, which makes them unique.

    Subsets and the order of classes are those of data.yaml; without it they are the folders, sorted by name.

    Raises:
        FormatError: there is no such image, or data.yaml makes no sense.
    """
    names: dict[int, str] = {}
    if configurations(source):
        yolo = UltralyticsSource(source, report)
        names = names_by_number(yolo.names())
        found = [(subset, path) for subset, paths in yolo.subsets() for path in paths]
    else:
        found = [(name.split("/", 1)[0], name) for name in source.images]
    present = set(source.images)
    entries, folders = [], []
    for subset, path in found:
        parts = path.split("/")
        place = parts.index(subset) + 1 if subset in parts[:-2] else len(parts) - 2
        if place < 1:
            report.problem("the image is in no folder of a class", source.root / path)
            continue
        folders.append(parts[place])
        entries.append(Entry(subset, item_id("/".join(parts[place:])), path, path in present, path))
    missing = sorted(set(folders) - set(names.values()))
    if names and missing:
        report.notes.append(
            f"data.yaml does not name the classes of {len(missing):,} folders, such as {missing[0]}"
        )
    names.update(enumerate(missing, max(names, default=-1) + 1))
    classes = ClassNames.of(names, report)
    if not entries:
        raise FormatError(f"{source} has no images in folders SUBSET/CLASS/IMAGE")
    annotations = TableBuilder.of_annotations()
    labels = [classes.labels.find(folder)[0] for folder in folders]
    annotations.add(len(entries), type="label", item=list(range(len(entries))), label=labels)
    items = items_table(str(source.root), entries, {})
    return Tables.of(items, annotations.finish(), {AnnotationType.label: classes.labels})


def names_by_number(classes: ClassNames) -> dict[int, str]:
    """The names of classes by number."""
    pairs = zip(classes.numbers.tolist(), classes.labels, strict=True)
    return {number: label.name for number, label in pairs}


def write_classes(
    tables: Tables, output: OutputFolder, options: UltralyticsWriteOptions, report: Report, media: bool
) -> None:
    """Write the image of each item with a label into the folder of its class, and data.yaml with all classes.

    Without images, lists say where they would be.
    """
    labels = class_names(tables)
    chosen = np.flatnonzero(Selection(tables, "classify").chosen)
    rows = tables.item_rows[chosen].tolist()
    numbers, found = codes(tables.items, "subset")
    subsets = subset_names(found, RESERVED, "yolo_ultralytics")
    files = file_names(tables, options.image_ext)
    paths = {}
    for row, label in zip(rows, integers(tables.annotations, "label")[chosen].tolist(), strict=True):
        folder = folder_of(labels[label])
        paths[row] = f"{subsets[numbers[row]]}/{folder}/{files[row].removeprefix(f'{folder}/')}"
    lines = [] if media else write_lists(output, subsets, numbers, paths)
    if media:
        used = [yaml_text(subsets[code]) for code in np.unique(numbers[rows]).tolist()]
        lines = [f"{name}: {name}\n" for name in used]
        save_images(tables, rows, paths.values(), output, report)
    names = names_lines([folder_of(label) for label in labels])
    output.write("data.yaml", "".join([*lines, "task: classify\n", *names]))
    left = tables.items.num_rows - len(rows)
    if left:
        report.notes.append(f"{left:,} items have no label and were left out: a class is a folder")
    report.counts["items"] += len(rows)


def folder_of(label: str) -> str:
    """The folder of a class; a slash in its name would be another folder."""
    return label.replace("/", "_").replace("\\", "_")
