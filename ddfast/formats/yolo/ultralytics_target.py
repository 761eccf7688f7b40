"""Writes Ultralytics' layout."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.tables import codes
from ddfast.formats.yolo.paths import label_path
from ddfast.formats.yolo.target import Target, class_names, listed, subset_names, write_sizes
from ddfast.formats.yolo.ultralytics_source import RESERVED

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.tables import Tables
    from ddfast.formats.yolo.options import UltralyticsWriteOptions

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
AMBIGUOUS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def yaml_text(text: str) -> str:
    """A string as YAML reads it back."""
    if PLAIN.fullmatch(text) and text.lower() not in AMBIGUOUS:
        return text
    return json.dumps(text, ensure_ascii=False)


def write(
    tables: Tables,
    output: OutputFolder,
    options: UltralyticsWriteOptions,
    report: Report,
    media: bool,
    task: str,
) -> None:
    """Write data.yaml, a list and folders of labels and images for each subset, and the images if ``media``."""
    target = Target(tables, task, options, report)
    numbers, found = codes(tables.items, "subset")
    subsets = subset_names(found, RESERVED, "yolo_ultralytics")
    names = file_names(tables, options.image_ext)
    rows = target.rows
    paths = {row: f"images/{subsets[numbers[row]]}/{names[row]}" for row in rows}
    lines = write_lists(output, subsets, numbers, paths)
    if task == "pose":
        lines += points_lines(target)
    output.write("data.yaml", "".join([*lines, f"task: {task}\n", *names_lines(class_names(tables))]))
    written = set(rows)
    for row, text in enumerate(target.label_texts()):
        if row in written and target.has_file[row]:
            output.write(label_path(paths[row]), text)
    if media:
        save_images(tables, rows, paths.values(), output, report)
    else:
        write_sizes(tables, paths, output)
    report.counts["items"] += len(rows)


def write_lists(
    output: OutputFolder, subsets: Sequence[str], numbers: npt.NDArray[np.int32], paths: Mapping[int, str]
) -> list[str]:
    """Write a list of images for each subset, and return the lines of data.yaml that name them.

    Parameters:
        output: the folder.
        subsets: names by number.
        numbers: of the subset of each item.
        paths: of the images of items.
    """
    rows = np.array(list(paths), np.int64)
    lines = []
    for code in np.unique(numbers[rows]).tolist():
        own = listed(paths[row] for row in rows[numbers[rows] == code].tolist())
        output.write(f"{subsets[code]}.txt", "".join(f"./{path}\n" for path in own))
        lines.append(f"{yaml_text(subsets[code])}: {yaml_text(subsets[code] + '.txt')}\n")
    return lines


def names_lines(names: list[str]) -> list[str]:
    """The classes by number."""
    if not names:
        return ["names: []\n"]
    return ["names:\n", *(f"  {number}: {yaml_text(name)}\n" for number, name in enumerate(names))]


def points_lines(target: Target) -> list[str]:
    """How many points objects have, and their names by class."""
    lines = [f"kpt_shape: [{max(target.points, 1)}, 3]\n"]
    named = {label: names for label, names in target.point_names.items() if len(names) == target.points}
    if named:
        lines.append("kpt_names:\n")
        lines += [f"  {label}: {json.dumps(names, ensure_ascii=False)}\n" for label, names in named.items()]
    return lines
