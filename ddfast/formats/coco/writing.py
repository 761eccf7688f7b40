"""Writes tables as COCO's annotation files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.tables import Tables, codes
from ddfast.errors import FormatOptionError
from ddfast.formats.coco.panoptic_writing import write_panoptic
from ddfast.formats.coco.subset import Subset

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.coco.options import CocoWriteOptions

ON_DEMAND = ("stuff", "panoptic")
"""Tasks that are written only if they are asked for: their objects are those of instances."""


def chosen_tasks(tasks: Sequence[str], asked: Any, all_of: bool = False) -> list[str]:
    """The tasks of a format that the option ``tasks`` asks for.

    Parameters:
        tasks: of the format.
        asked: the option; None for the default.
        all_of: whether the default is all tasks, and not those that an export writes.

    Raises:
        FormatOptionError: one that was asked for does not exist.
    """
    if asked is None:
        return [task for task in tasks if all_of or len(tasks) == 1 or task not in ON_DEMAND]
    wanted = asked.split(",") if isinstance(asked, str) else list(asked)
    unknown = [task for task in wanted if task not in tasks]
    if unknown or not wanted:
        raise FormatOptionError(f"tasks is {asked!r}; it accepts {', '.join(tasks)}")
    return [task for task in tasks if task in wanted]


def write(
    tables: Tables,
    output: OutputFolder,
    options: CocoWriteOptions,
    report: Report,
    media: bool,
    tasks: Sequence[str],
) -> None:
    """Write a file for each subset and each task that there are annotations for, and the images."""
    report.counts["items"] += tables.items.num_rows
    names = file_names(tables, options.image_ext)
    numbers, subsets = codes(tables.items, "subset")
    for code, subset in enumerate(subsets or ["default"]):
        rows = np.flatnonzero(numbers == code)
        if not len(rows) and subsets:
            continue
        part = Subset(tables.take_items(rows), [names[row] for row in rows], options)
        for task in part.tasks(chosen_tasks(tasks, options.tasks)):
            with output.open(f"annotations/{task}_{subset}.json") as file:
                if task == "panoptic":
                    write_panoptic(part, file, output, f"annotations/{task}_{subset}", report)
                else:
                    part.write(file, task, report)
        if media:
            folder = "images" if options.merge_images else f"images/{subset}"
            save_images(tables, rows.tolist(), [f"{folder}/{names[row]}" for row in rows], output, report)
