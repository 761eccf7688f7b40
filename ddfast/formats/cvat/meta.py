"""What the head of a CVAT file says: labels and their attributes, tasks, frames and sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ddfast.errors import FormatError
from ddfast.formats.cvat.svg import Drawing, drawing_of
from ddfast.formats.xml import child_text, line_of

MAX_FRAMES = 1 << 22
"""Frames of a video that become items though no shape is in them."""

COLOR = re.compile("#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")

OLD_ATTRIBUTE = re.compile(r"\s*[@~](\w+)=([^:]+):")


@dataclass
class LabelMeta:
    """A label.

    Attributes:
        name: its name.
        color: red, green and blue, or None.
        attributes: input type of each attribute: ``"checkbox"``, ``"number"``, ``"select"``, ``"radio"`` or ``"text"``.
        points: names of the points of its skeleton, in order.
        drawing: how its skeleton is drawn.
    """

    name: str
    color: tuple[int, int, int] | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    drawing: Drawing = field(default_factory=Drawing)


@dataclass
class TaskMeta:
    """A task: a list of images, or a video.

    Attributes:
        name: of the task.
        subset: that its items belong to; empty if it does not say.
        is_video: whether its frames are those of a video.
        frames: numbers of all frames of a video; None if the file does not say.
        size: height and width of the frames of a video, or None.
    """

    name: str = ""
    subset: str = ""
    is_video: bool = False
    frames: range | None = None
    size: tuple[int, int] | None = None


@dataclass
class Meta:
    """The head of a file.

    Attributes:
        labels: by name, in order.
        tasks: by id; that of a file of one task has the id ``""``.
        is_closed: whether the file lists its labels, so that no others can occur.
    """

    labels: dict[str, LabelMeta] = field(default_factory=dict)
    tasks: dict[str, TaskMeta] = field(default_factory=dict)
    is_closed: bool = False

    def task(self, number: str) -> TaskMeta:
        """The task of an id; that of the file, if it has only one."""
        found = self.tasks.get(number)
        if found is None and len(self.tasks) == 1:
            found = next(iter(self.tasks.values()))
        return found or TaskMeta()


def read_meta(element: Any, path: object) -> Meta:
    """The content of an element ``<meta>``.

    Raises:
        FormatError: a label has no name, or a number is none.
    """
    meta = Meta(is_closed=element.find(".//labels") is not None)
    size = _size(element.find("original_size"), path)
    for task in element.iter("task", "job"):
        number = (child_text(task, "id") or "") if element.find("project") is not None else ""
        meta.tasks[number] = _task(task, size, path)
    for label in element.iter("label"):
        _add_label(meta.labels, label, path)
    return meta


def _task(element: Any, size: tuple[int, int] | None, path: object) -> TaskMeta:
    is_video = child_text(element, "mode") == "interpolation"
    return TaskMeta(
        child_text(element, "name") or "",
        child_text(element, "subset") or "",
        is_video,
        _frames(element, path) if is_video else None,
        _size(element.find("original_size"), path) or size,
    )


def _frames(element: Any, path: object) -> range | None:
    """Numbers of the frames of a video, as far as a file can be trusted to say."""
    first, last = _number(element, "start_frame", path), _number(element, "stop_frame", path)
    if first is None or last is None:
        return None
    step = re.search(r"step\s*=\s*(\d+)", child_text(element, "frame_filter") or "")
    frames = range(first, last + 1, max(int(step[1]), 1) if step else 1)
    if first < 0 or last >= 2**31 or len(frames) > MAX_FRAMES:
        raise FormatError(
            f"{path}, {line_of(element)}: frames {first} to {last} make no sense; start_frame and stop_frame are from"
            f" 0 on, at most {MAX_FRAMES:,} frames"
        )
    return frames


def _size(element: Any, path: object) -> tuple[int, int] | None:
    if element is None:
        return None
    height, width = _number(element, "height", path), _number(element, "width", path)
    return (height, width) if height and width and height > 0 and width > 0 else None


def _number(element: Any, name: str, path: object) -> int | None:
    text = child_text(element, name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise FormatError(
            f"{path}, {line_of(element.find(name))}: {name} is {text[:80]!r}; it must be an integer"
        ) from None


def _add_label(labels: dict[str, LabelMeta], element: Any, path: object) -> None:
    """Add a label, or a point to the skeleton that it belongs to."""
    name = element.findtext("name")  # with the spaces that the attributes of shapes have, too
    if not name or name.isspace():
        raise FormatError(f"{path}, {line_of(element)}: a label has no name")
    attributes = dict(filter(None, map(_attribute, element.iterfind("attributes/attribute"))))
    parent = element.findtext("parent")
    if parent and not parent.isspace():
        label = labels.setdefault(parent, LabelMeta(parent))
        if name not in label.points:
            label.points.append(name)
        label.attributes |= {f"{name}.{own}": kind for own, kind in attributes.items()}
        return
    label = labels.setdefault(name, LabelMeta(name))
    label.attributes = attributes | label.attributes
    label.color = label.color or _color(child_text(element, "color"))
    svg = child_text(element, "svg")
    if svg:
        label.drawing = drawing_of(svg)


def _attribute(element: Any) -> tuple[str, str] | None:
    """Name and input type of an attribute; old files have both in one text."""
    name = element.findtext("name")
    if name:
        return name, child_text(element, "input_type") or "text"
    old = OLD_ATTRIBUTE.match(element.text or "")
    return (old[2], old[1]) if old else None


def _color(text: str | None) -> tuple[int, int, int] | None:
    match = COLOR.fullmatch(text or "")
    if match is None:
        return None
    digits = match[1] if len(match[1]) == 6 else "".join(one * 2 for one in match[1])
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue
