"""Label maps of Pascal VOC: labels with their colours, parts and actions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.colors import MaskCategories, RgbColor, voc_color
from ddfast.annotated.kinds import AnnotationType
from ddfast.errors import FormatError

BACKGROUND = "background"
FLAGS = ("difficult", "truncated", "occluded")
NAMES = (
    BACKGROUND, "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOID = "ignored"
VOID_INDEX = 255
VOID_COLOR = voc_color(VOID_INDEX)
BODY_PARTS = ("head", "hand", "foot")
ACTIONS = (
    "other", "jumping", "phoning", "playinginstrument", "reading", "ridingbike", "ridinghorse", "running",
    "takingphoto", "usingcomputer", "walking",
)  # fmt: skip

VOC_MAPS = ("voc", "voc_classification", "voc_detection", "voc_segmentation", "voc_action", "voc_layout")

HEADER = "# label:color_rgb:parts:actions\n"
LINE = re.compile(
    r"(?P<name>.+?)\s*:\s*(?P<color>|\d+\s*,\s*\d+\s*,\s*\d+)\s*:(?P<parts>[^:#]*):(?P<actions>[^:#]*)(#.*)?"
)


@dataclass(frozen=True)
class LabelMapEntry:
    """A label of a label map.

    Attributes:
        name: of the label.
        color: red, green and blue, or None.
        parts: names of the parts that objects of the label have, such as ``"head"``.
        actions: names of what they can do, such as ``"jumping"``.
    """

    name: str
    color: RgbColor | None = None
    parts: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def line(self) -> str:
        """The line of a file.

        Raises:
            FormatError: it would not be read as this entry.
        """
        color = ",".join(map(str, self.color)) if self.color is not None else ""
        line = ":".join([self.name, color, ",".join(self.parts), ",".join(self.actions)])
        if parse_line(line) != self or "\n" in line or "\r" in line:
            raise FormatError(
                f"A label map cannot hold the label {self.name!r} with its parts and actions; rename what has"
                " a comma, a colon, a # or a line break"
            )
        return line


def voc_map() -> list[LabelMapEntry]:
    """The labels of Pascal VOC 2012."""
    entries = [LabelMapEntry(name, voc_color(index)) for index, name in enumerate(NAMES)]
    person = NAMES.index("person")
    entries[person] = LabelMapEntry("person", voc_color(person), BODY_PARTS, ACTIONS)
    return [*entries, LabelMapEntry(VOID, VOID_COLOR)]


def parse_line(line: str) -> LabelMapEntry | None:
    """The label of a line; None if the line has another form."""
    line = line.strip()
    if ":" not in line:
        return LabelMapEntry(line) if line and not line.startswith("#") else None
    match = LINE.fullmatch(line)
    if not match or match["name"].startswith("#"):
        return None
    color = [int(one) for one in match["color"].split(",")] if match["color"] else None
    if color is not None and max(color) > 255:
        return None
    return LabelMapEntry(
        match["name"],
        None if color is None else (color[0], color[1], color[2]),
        _words(match["parts"]),
        _words(match["actions"]),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def parse_label_map(text: str, file: object) -> list[LabelMapEntry]:
    """The labels of a file.

    Raises:
        FormatError: a line has another form, or a label is there twice; the message names the line.
    """
    entries: dict[str, LabelMapEntry] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = parse_line(line)
        if entry is None:
            raise FormatError(
                f"{file}, line {number}: {line.strip()!r} is not label:red,green,blue:parts:actions"
            )
        if entry.name in entries:
            raise FormatError(f"{file}, line {number}: label {entry.name!r} is there twice")
        entries[entry.name] = entry
    return list(entries.values())


def format_label_map(entries: Iterable[LabelMapEntry]) -> str:
    """The content of a file; `parse_label_map` reads it."""
    return HEADER + "".join(f"{entry.line()}\n" for entry in entries)


def given_label_map(value: Any) -> list[LabelMapEntry] | None:
    """The labels that the option ``label_map`` names; None for those of the dataset.

    Parameters:
        value: None, ``"source"``, ``"voc"``, the path of a file, or a map of names to ``(color, parts, actions)``.

    Raises:
        FormatError: there is no such file, or it makes no sense.
    """
    if value is None or value in ("", "source"):
        return None
    if isinstance(value, Mapping):
        return [
            LabelMapEntry(name, tuple(color) if color else None, tuple(parts or ()), tuple(actions or ()))
            for name, (color, parts, actions) in value.items()
        ]
    if value in VOC_MAPS:
        return voc_map()
    path = Path(value)
    if not path.is_file():
        raise FormatError(f"label_map is {value!r}; it must be source, voc, or the path of a file")
    return parse_label_map(path.read_text(encoding="utf-8-sig"), path)


def colors_of(entries: list[LabelMapEntry]) -> dict[int, RgbColor]:
    """The colour of each label; those of Pascal VOC in their order if no label has one."""
    if all(entry.color is None for entry in entries):
        return {index: voc_color(index) for index in range(len(entries))}
    return {index: entry.color for index, entry in enumerate(entries) if entry.color is not None}


def background_of(entries: list[LabelMapEntry]) -> int | None:
    """The label that stands for background: the black one, or the one of that name; None if there is none."""
    black = [index for index, entry in enumerate(entries) if entry.color == (0, 0, 0)]
    named = [index for index, entry in enumerate(entries) if entry.name.lower() == BACKGROUND]
    return next(iter(black + named), None)


def categories_of(
    entries: list[LabelMapEntry], *, parts: bool, masks: bool
) -> dict[AnnotationType, Categories]:
    """The categories of labels, with ``parts`` of their parts, which follow them, and with ``masks`` their colours."""
    labels = LabelCategories(attributes=FLAGS)
    for entry in entries:
        labels.add(entry.name, attributes=entry.actions)
    for entry in entries if parts else ():
        for part in dict.fromkeys(entry.parts):
            labels.add(part, entry.name)
    found: dict[AnnotationType, Categories] = {AnnotationType.label: labels}
    if masks:
        found[AnnotationType.mask] = MaskCategories(colors_of(entries))
    return found
