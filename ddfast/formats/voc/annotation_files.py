"""Reads the annotation files of Pascal VOC into columns."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddfast.annotated.rows import attributes_text
from ddfast.annotated.schema import CROWD
from ddfast.formats.voc.label_map import FLAGS
from ddfast.formats.voc.values import flag, tag_of, typed
from ddfast.formats.xml import child_text, line_of, parse_xml

if TYPE_CHECKING:
    from ddfast.annotated.report import Report
    from ddfast.formats.voc.labels import VocLabels

CORNERS = ("xmin", "ymin", "xmax", "ymax")
MORE = {"point", "actions", "attributes"}  # elements of few objects


@dataclass(slots=True)
class Head:
    """What an annotation file says about its image.

    Attributes:
        filename: of the image, or None.
        height, width: of the image, or None.
        objects: row of the box and label of each object; None for objects that make no sense.
    """

    filename: str | None
    height: int | None
    width: int | None
    objects: list[tuple[int, int] | None]


@dataclass
class BoxColumns:
    """Columns of the boxes of many files."""

    item: list[int] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    group: list[int | None] = field(default_factory=list)
    crowd: list[bool | None] = field(default_factory=list)
    attributes: list[str | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.item)

    def add(self, item: int, label: int, box: tuple[float, ...], group: int | None) -> None:
        """Add a box without attributes."""
        self.item.append(item)
        self.label.append(label)
        for values, value in zip((self.x, self.y, self.width, self.height), box, strict=True):
            values.append(value)
        self.group.append(group)
        self.crowd.append(None)
        self.attributes.append(None)


class AnnotationFiles:
    """Reads annotation files.

    Parameters:
        labels: of the dataset; new ones are added.
        report: for problems.
        parts: whether boxes of parts, such as heads, are read.
        actions: whether actions are read as attributes.
        one_based: whether the first pixel has the coordinate 1.

    Attributes:
        boxes: of all files.
        shapes: number of polygons and rotated boxes that were not read.
    """

    def __init__(
        self, labels: VocLabels, report: Report, *, parts: bool, actions: bool, one_based: bool
    ) -> None:
        self.boxes = BoxColumns()
        self.shapes = 0
        self._labels = labels
        self._report = report
        self._parts = parts
        self._actions = actions
        self._shift = 1 if one_based else 0
        self._texts: dict[tuple[Any, ...], str] = {}

    def read(self, path: Path, item: int) -> Head | None:
        """Read a file.

        Parameters:
            path: of the file.
            item: row of its item.

        Returns:
            None if the file makes no sense.

        Raises:
            FormatError: the file is not XML; or something in it makes no sense, and the report raises.
        """
        root = parse_xml(path)
        if root.tag != "annotation":
            self._report.problem(f"the root is <{root.tag}>, not <annotation>", path, line_of(root))
            return None
        objects = [
            self._object(element, path, item, number)
            for number, element in enumerate(root.iterfind("object"), 1)
        ]
        size = root.find("size")
        return Head(
            child_text(root, "filename") or None, _length(size, "height"), _length(size, "width"), objects
        )

    def _object(self, element: Any, path: Path, item: int, number: int) -> tuple[int, int] | None:
        """Row and label of the box of an object, which has a number from 1."""
        place = f"{line_of(element)}, object {number}"
        children = {child.tag: child for child in reversed(element)}  # the first of each name
        self.shapes += "polygon" in children or "robndbox" in children
        name = _text(children.get("name"))
        if not name:
            self._report.problem("an object needs a name", path, place, "name")
            return None
        box = self._box(children.get("bndbox"), path, place)
        if box is None:
            return None
        label = self._labels.number(name)
        parts = element.findall("part") if self._parts and "part" in children else ()
        row = len(self.boxes)
        self.boxes.add(item, label, box, number if parts else None)
        self._set_attributes(children, name, path, place)
        for part in parts:
            part_place = f"{line_of(part)}, part of object {number}"
            part_name, part_box = child_text(part, "name"), self._box(part.find("bndbox"), path, part_place)
            if part_box is None:
                continue
            if not part_name:
                self._report.problem("a part needs a name", path, part_place, "name")
                continue
            self.boxes.add(item, self._labels.number(part_name, name), part_box, number)
        return row, label

    def _box(self, element: Any, path: Path, place: str) -> tuple[float, float, float, float] | None:
        """x, y, width and height of ``<bndbox>``, or None."""
        if element is None:
            self._report.problem("there is no <bndbox>", path, place, "bndbox")
            return None
        found = {child.tag: child.text for child in element}
        texts = [(found.get(name) or "").strip() for name in CORNERS]
        corners = []
        for name, text in zip(CORNERS, texts, strict=True):
            value = _number(text)
            if value is None:
                self._report.problem(f"{name} is {text!r}; it must be a number", path, place, name)
                return None
            corners.append(value)
        left, top, right, bottom = corners
        for name, low, high in (("xmax", left, right), ("ymax", top, bottom)):
            if high < low:
                self._report.problem(
                    f"{name} is {high:g}, less than {low:g}: the box has a negative size", path, place, name
                )
                return None
        if self._shift:
            left, top = left - self._shift, top - self._shift
        places = [_decimals(text) for text in texts]
        return (
            left,
            top,
            _difference(right, left, places[0], places[2]),
            _difference(bottom, top, places[1], places[3]),
        )

    def _set_attributes(self, children: dict[str, Any], name: str, path: Path, place: str) -> None:
        """Set the attributes of the last box from the elements of its object."""
        flags = []
        for field_name in FLAGS:
            text = _text(children.get(field_name))
            value = flag(text)
            if value is None:
                self._report.problem(
                    f"{field_name} is {text!r}; it must be 0 or 1. It is left out",
                    path,
                    place,
                    field_name,
                )
            flags.append(value)
        pose = _text(children.get("pose"))
        more = self._more(children, name, path, place) if MORE & children.keys() else {}
        crowd = more.pop(CROWD, None)
        if crowd in (True, False):
            self.boxes.crowd[-1] = bool(crowd)
        key = (*flags, pose)
        known = self._texts.get(key)
        if known is None or more:
            values = {one: value for one, value in zip(FLAGS, flags, strict=True) if value is not None}
            known = attributes_text(values | ({} if pose is None else {"pose": pose}) | more, place)
            if not more and known is not None:
                self._texts[key] = known
        self.boxes.attributes[-1] = known

    def _more(self, children: dict[str, Any], name: str, path: Path, place: str) -> dict[str, Any]:
        """Attributes that few objects have: a point, actions, and those of ``<attributes>``."""
        more: dict[str, Any] = {}
        point = children.get("point")
        if point is not None:
            values = [_number(child_text(point, axis)) for axis in ("x", "y")]
            if None in values:
                self._report.problem("x and y must be numbers; the point is left out", path, place, "point")
            else:
                more["point"] = values
        actions = children.get("actions") if self._actions else None
        if actions is not None:
            more |= self._read_actions(actions, name, path, place)
        listed = children.get("attributes")
        for one in () if listed is None else listed.iterfind("attribute"):
            key, value = child_text(one, "name"), one.find("value")
            if not key or value is None:
                self._report.problem("an attribute needs a name and a value", path, place, "attributes")
                continue
            try:
                more[key] = typed(value.text or "", value.get("type"))
            except json.JSONDecodeError as error:
                self._report.problem(f"attribute {key!r} is not JSON: {error}", path, place, "attributes")
        return more

    def _read_actions(self, actions: Any, name: str, path: Path, place: str) -> dict[str, bool]:
        known = {tag_of(action): action for action in self._labels.actions(name)}
        found = {}
        for child in actions:
            value = flag(child.text)
            if value is None:
                self._report.problem(
                    f"{child.tag} is {child.text!r}; it must be 0 or 1", path, place, "actions"
                )
            else:
                found[known.get(child.tag, child.tag)] = value
        return found


def _text(element: Any) -> str | None:
    """The text of an element, without spaces around it; None if there is none."""
    return None if element is None else (element.text or "").strip()


def _number(text: str | None) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _decimals(text: str | None) -> int | None:
    """Number of digits after the point; None for numbers with an exponent."""
    text = text or ""
    return None if "e" in text.lower() else len(text.partition(".")[2])


def _difference(high: float, low: float, first: int | None, second: int | None) -> float:
    """``high - low`` as decimal numbers are subtracted: 0.3 - 0.1 is 0.2."""
    if first is None or second is None:
        return high - low
    return round(high - low, max(first, second))


def _length(size: Any, name: str) -> int | None:
    """Height or width of an image; None if there is none that makes sense."""
    value = None if size is None else _number(child_text(size, name))
    return int(value) if value is not None and 0 < value < 2**31 and value == int(value) else None
