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
from ddfast.formats.yolo.ultralytics_target import names_lines, yaml_text

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder
    from ddfast.formats.yolo.options import UltralyticsWriteOptions

__all__ = ["read_classes", "write_classes"]


def read_classes(source: SourceFolder, report: Report) -> Tables:
    """The tables of folders ``SUBSET/CLASS/IMAGE``. Ids of items have the folder of the class, which makes them unique.

    Classes are in the order of data.yaml, or sorted by name if there is none.

    Raises:
        FormatError: there is no such image, or data.yaml makes no sense.
    """
    found = [(name.split("/"), name) for name in source.images if name.count("/") >= 2]
    if not found:
        raise FormatError(f"{source} has no images in folders SUBSET/CLASS/IMAGE")
    folders = sorted({parts[1] for parts, _ in found})
    names = _names(source, report) if configurations(source) else {}
    missing = [folder for folder in folders if folder not in names.values()]
    if names and missing:
        report.notes.append(
            f"data.yaml does not name the classes of {len(missing):,} folders, such as {missing[0]}"
        )
    names.update(enumerate(missing, max(names, default=-1) + 1))
    classes = ClassNames.of(names, report)
    entries = [Entry(parts[0], item_id("/".join(parts[1:])), name, True, name) for parts, name in found]
    labels = [classes.labels.find(parts[1])[0] for parts, _ in found]
    annotations = TableBuilder.of_annotations()
    annotations.add(len(entries), type="label", item=list(range(len(entries))), label=labels)
    items = items_table(str(source.root), entries, {})
    return Tables.of(items, annotations.finish(), {AnnotationType.label: classes.labels})


def _names(source: SourceFolder, report: Report) -> dict[int, str]:
    classes = UltralyticsSource(source, report).names()
    return {
        int(number): label.name
        for number, label in zip(classes.numbers.tolist(), classes.labels, strict=True)
    }


def write_classes(
    tables: Tables, output: OutputFolder, options: UltralyticsWriteOptions, report: Report, media: bool
) -> None:
    """Write the image of each item with a label into the folder of its class, and data.yaml with all classes.

    Raises:
        FormatError: images are not to be copied: then there is nothing to write.
    """
    if not media:
        raise FormatError("Classification is folders of images: export with save_media=True (--save-media)")
    labels = class_names(tables)
    chosen = np.flatnonzero(Selection(tables, "classify").chosen)
    rows = tables.item_rows[chosen].tolist()
    numbers, found = codes(tables.items, "subset")
    subsets = subset_names(found, RESERVED, "yolo_ultralytics")
    files = file_names(tables, options.image_ext)
    paths = []
    for row, label in zip(rows, integers(tables.annotations, "label")[chosen].tolist(), strict=True):
        folder = folder_of(labels[label])
        name = files[row].removeprefix(f"{folder}/")
        paths.append(f"{subsets[numbers[row]]}/{folder}/{name}")
    used = [subsets[code] for code in np.unique(numbers[rows]).tolist()]
    lines = [f"{yaml_text(name)}: {yaml_text(name)}\n" for name in used]
    output.write(
        "data.yaml", "".join([*lines, "task: classify\n", *names_lines(list(map(folder_of, labels)))])
    )
    save_images(tables, rows, paths, output, report)
    left = tables.items.num_rows - len(rows)
    if left:
        report.notes.append(f"{left:,} items have no label and were left out: a class is a folder")
    report.counts["items"] += len(rows)


def folder_of(label: str) -> str:
    """The folder of a class; a slash in its name would be another folder."""
    return label.replace("/", "_").replace("\\", "_")
