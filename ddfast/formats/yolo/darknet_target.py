"""Writes Darknet's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.paths import item_id
from ddfast.annotated.tables import codes
from ddfast.formats.yolo.darknet_source import OPTIONS, RESERVED
from ddfast.formats.yolo.target import Target, class_names, listed, subset_names, write_sizes

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.tables import Tables
    from ddfast.formats.yolo.options import DarknetWriteOptions


def write(
    tables: Tables, output: OutputFolder, options: DarknetWriteOptions, report: Report, media: bool
) -> None:
    """Write obj.data, obj.names, a list and a folder for each subset, and the images if ``media``."""
    target = Target(tables, "detect", options, report)
    numbers, found = codes(tables.items, "subset")
    subsets = subset_names(found, RESERVED | OPTIONS, "yolo")
    prefix = "data/" if options.add_path_prefix else ""
    names = file_names(tables, options.image_ext)
    labels = class_names(tables)
    output.write("obj.names", "".join(f"{name}\n" for name in labels))
    rows = target.rows
    folders = [f"obj_{name}_data/" for name in subsets]
    paths = {row: folders[numbers[row]] + names[row] for row in rows}
    lines = [f"classes = {len(labels)}\n"]
    for code in np.unique(numbers[rows]).tolist():
        own = listed(paths[row] for row in rows if numbers[row] == code)
        output.write(f"{subsets[code]}.txt", "".join(f"{prefix}{path}\n" for path in own))
        lines.append(f"{subsets[code]} = {prefix}{subsets[code]}.txt\n")
    output.write("obj.data", "".join([*lines, f"names = {prefix}obj.names\n", "backup = backup/\n"]))
    written = set(rows)
    for row, text in enumerate(target.label_texts()):
        if row in written and target.has_file[row]:
            output.write(f"{item_id(paths[row])}.txt", text)
    if media:
        save_images(tables, rows, paths.values(), output, report)
    else:
        write_sizes(tables, paths, output)
    report.counts["items"] += len(rows)
