"""Objects of LabelMe's XML files: their shape, what is known about them, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from math import isfinite
from typing import Any, NamedTuple

from ddfast.annotated.checks import shown
from ddfast.annotated.schema import CROWD
from ddfast.formats.label_me.attributes import attributes_in
from ddfast.formats.xml import child_text, lxml_etree

__all__ = ["LabelMeObjectError", "date_text", "details_of", "groups_of", "iso_date", "points_of"]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2})")


class LabelMeObjectError(Exception):
    """An object makes no sense.

    Parameters:
        message: what is wrong.
        field: name of the element.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def iso_date(text: str) -> str | None:
    """A date such as ``25-May-2012 00:09:48``, or one of ISO 8601, as ISO 8601; None if it is neither."""
    match = DATE.fullmatch(text)
    try:
        if match and match[2].title() in MONTHS:
            month = MONTHS.index(match[2].title()) + 1
            hour, minute, second = map(int, match.groups()[3:])
            return datetime(int(match[3]), month, int(match[1]), hour, minute, second).isoformat()
        datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        return None
    return text


def date_text(iso: str) -> str:
    """A date as LabelMe writes it; one with a zone or fractions of seconds as ISO 8601."""
    try:
        date = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if date.tzinfo is not None or date.microsecond:
        return iso
    return f"{date.day:02}-{MONTHS[date.month - 1]}-{date.year:04} {date:%H:%M:%S}"


def points_of(polygon: Any) -> list[float]:
    """The points of a polygon, x and y in turn.

    Raises:
        LabelMeObjectError: one has no finite coordinates.
    """
    x, y = (find(polygon) for find in _coordinates())
    try:
        points = [value for pair in zip(map(float, x), map(float, y), strict=True) for value in pair]
        if len(points) == 2 * len(polygon.findall("pt")) and isfinite(sum(points)):
            return points
    except ValueError:
        pass
    return _checked_points(polygon)


@cache
def _coordinates() -> tuple[Any, Any]:
    """Functions that give the texts of x and y of all points of a polygon."""
    etree = lxml_etree()
    return etree.XPath("pt/x/text()", smart_strings=False), etree.XPath("pt/y/text()", smart_strings=False)


def _checked_points(polygon: Any) -> list[float]:
    """As `points_of`, one coordinate after the other, so that the wrong one is known."""
    points = []
    for point in polygon.iterfind("pt"):
        for name in ("x", "y"):
            text = child_text(point, name)
            try:
                value = float(text or "")
            except ValueError:
                value = float("nan")
            if not isfinite(value):
                raise LabelMeObjectError(f"{name} of a point is {shown(text)}; it must be a number", "pt")
            points.append(value)
    return points


def number_of(element: Any) -> int | None:
    """The id of an object; None if it has none.

    Raises:
        LabelMeObjectError: it is no number.
    """
    text = child_text(element, "id")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise LabelMeObjectError(f"it is {shown(text)}; it must be a whole number", "id") from None


def details_of(element: Any, shape: Any) -> dict[str, Any]:
    """Columns of an object beside its shape; ``attributes`` as a dict.

    Parameters:
        element: the object.
        shape: its element of the shape, which has the name of the user.
    """
    attributes = attributes_in(child_text(element, "attributes") or "")
    occluded = child_text(element, "occluded")
    if occluded:
        attributes["occluded"] = occluded.lower() == "yes"
    if child_text(element, "verified") == "1":
        attributes["verified"] = True
    date = child_text(element, "date") or ""
    created = iso_date(date)
    if date and created is None:
        attributes["date"] = date
    crowd = attributes.pop(CROWD) if isinstance(attributes.get(CROWD), bool) else None
    return {
        "id": number_of(element),
        "author": child_text(shape, "username") or None,
        "created": created,
        "crowd": crowd,
        "attributes": attributes,
    }


class LabelMeParts(NamedTuple):
    """What an object says about its parts.

    Attributes:
        id: of the object.
        others: ids of its parts, and of what it is a part of.
    """

    id: int
    others: list[int]


def link_of(element: Any) -> LabelMeParts | None:
    """The parts of an object, None if it says nothing.

    Raises:
        LabelMeObjectError: an id is no number.
    """
    number, parts = number_of(element), element.find("parts")
    if number is None or parts is None:
        return None
    others = []
    for name in ("hasparts", "ispartof"):
        for text in (child_text(parts, name) or "").split(","):
            if text.strip():
                if not text.strip().isdecimal():
                    raise LabelMeObjectError(
                        f"{name} has {shown(text)}; it must have ids of objects", "parts"
                    )
                others.append(int(text))
    return LabelMeParts(number, others)


def groups_of(links: Sequence[LabelMeParts]) -> dict[int, int]:
    """The number of the group of each object that belongs to others, by id; from 1, in the order of the objects.

    LabelMeObjects that are parts of each other, directly or not, are one group. Parts that do not exist do not count.
    """
    parent = {link.id: link.id for link in links}

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    for link in links:
        for other in link.others:
            if other in parent:
                parent[root(other)] = root(link.id)
    members: dict[int, list[int]] = {}
    for number in parent:
        members.setdefault(root(number), []).append(number)
    several = [group for group in members.values() if len(group) > 1]
    return {number: place for place, group in enumerate(several, 1) for number in group}
