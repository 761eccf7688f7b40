"""Options of reading and writing Pascal VOC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddfast.annotated.format import option
from ddfast.errors import FormatOptionError

TASKS = ("classification", "detection", "segmentation", "action", "layout")
OTHER_NAMES = {"action_classification": "action", "person_layout": "layout"}

ONE_BASED = "the first pixel has the coordinate 1 in the files, as in the original data; 0 otherwise"


@dataclass(frozen=True)
class VocReadOptions:
    """Options of reading Pascal VOC."""

    one_based: bool = option(False, ONE_BASED)
    label_map: str = option("", "file with labels and colours, for sources that have none")
    annotations: str = option("", "folder of the annotation files, if it is not called Annotations")
    images: str = option("", "folder of the images, if it is not called JPEGImages or images")


@dataclass(frozen=True)
class VocWriteOptions:
    """Options of writing Pascal VOC."""

    label_map: Any = option(
        None,
        "labels and colours: source (those of the dataset, the default), voc, or the path of a label map",
    )
    apply_colormap: bool = option(
        True, "give masks the colours of labels; otherwise they are grey with indices"
    )
    allow_attributes: bool = option(True, "write all attributes of boxes, an extension of the format")
    keep_empty: bool = option(False, "write lists of subsets even if they are empty")
    tasks: Any = option(
        None, f"tasks to write, such as {','.join(TASKS[:2])} (default: all of {', '.join(TASKS)})"
    )
    image_ext: str = option("", "extension of images without one (default: .jpg)")
    one_based: bool = option(False, ONE_BASED)


def chosen_tasks(asked: Any, tasks: Sequence[str]) -> tuple[str, ...]:
    """The tasks of a format that were asked for, all by default.

    Parameters:
        asked: names, as text with commas or as a list; ``voc_detection`` is the same as ``detection``.
        tasks: of the format.

    Raises:
        FormatOptionError: a task is unknown.
    """
    if asked is None:
        return tuple(tasks)
    names = [
        str(name).strip().removeprefix("voc_")
        for name in (asked.split(",") if isinstance(asked, str) else asked)
    ]
    names = [OTHER_NAMES.get(name, name) for name in names]
    if "voc" in names:
        return tuple(tasks)
    for name in names:
        if name not in TASKS:
            raise FormatOptionError(f"There is no task {name!r} of voc; there are {', '.join(TASKS)}")
    return tuple(task for task in tasks if task in names)
