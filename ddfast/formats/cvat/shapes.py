"""Elements of shapes as values of the columns of annotations."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, InvalidOperation
from math import isfinite, pi
from operator import methodcaller
from typing import Any, NamedTuple, TypeAlias

from ddfast.annotated import masks
from ddfast.annotated.checks import shown
from ddfast.annotated.cvat_masks import from_cvat
from ddfast.errors import AnnotationError

Size: TypeAlias = "tuple[int, int] | None"

CUBOID = tuple(f"{corner}{side}" for side in "12" for corner in ("tl", "bl", "tr", "br"))
"""Names of the corners of a cuboid in an image, in the order of CVAT; it is a skeleton of these points."""

EXACT = Context(prec=800)
"""Arithmetic without rounding: the sum of any two numbers of float64 has fewer digits."""

_COMMAS = methodcaller("count", ",")

_NUMBER = r"-?\d{1,15}(?:\.\d{1,20})?"
PLAIN = re.compile(f"{_NUMBER},{_NUMBER}(?:;{_NUMBER},{_NUMBER})*", re.ASCII)
"""Points that are known to be valid, so that those of many shapes can be turned into numbers together."""

FEWEST = {"polygon": 3, "polyline": 2, "points": 1}
FLAGS = {"0": False, "1": True, "false": False, "true": True, "False": False, "True": True}


class ShapeError(Exception):
    """An element makes no sense.

    Parameters:
        message: what is wrong.
        field: name of the attribute.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class CvatShape(NamedTuple):
    """Where a shape is.

    Attributes:
        type: of the annotation.
        box: x, y, width and height; None for points, whose boxes are computed together.
        area: None for polygons likewise.
        points: as the column of this name; or their text, which is `PLAIN`.
        visibility, mask, text: as the columns of these names.
        details: further attributes that belong to the points of a skeleton, and their texts.
    """

    type: str
    box: tuple[float, float, float, float] | None = None
    area: float | None = None
    points: Sequence[float] | str | None = None
    visibility: Sequence[int] | None = None
    mask: bytes | None = None
    text: str | None = None
    details: Sequence[tuple[str, str]] = ()


def shape_of(element: Any, size: Size, names: Sequence[str]) -> CvatShape:
    """The shape of an element.

    Parameters:
        element: one of `SHAPES`.
        size: height and width of the image, if they are known.
        names: of the points of a skeleton with the label of the element.

    Raises:
        ShapeError: it makes no sense.
    """
    tag = element.tag
    if tag == "box":
        return _box(element)
    if tag in ("polygon", "polyline"):
        text = element.get("points")
        if text and PLAIN.fullmatch(text) and text.count(";") + 1 >= FEWEST[tag]:
            return CvatShape(tag, points=text)
    if tag in FEWEST:
        return CvatShape(tag, points=_points(element, FEWEST[tag]))
    if tag == "skeleton":
        return _skeleton(element, names)
    return _OTHERS[tag](element, size)


def flag(element: Any, name: str, missing: bool = False) -> bool:
    """An attribute that is 0 or 1.

    Raises:
        ShapeError: it is neither.
    """
    text = element.get(name)
    if text is None:
        return missing
    found = FLAGS.get(text)
    if found is None:
        raise ShapeError(f"it is {shown(text)}; it must be 0 or 1", name)
    return found


def integer(
    element: Any, name: str, missing: int | None = None, low: int = -(2**31), high: int = 2**31
) -> int:
    """An attribute that is a whole number in ``[low, high)``.

    Raises:
        ShapeError: it is none, or it is not there and ``missing`` is None.
    """
    text = element.get(name)
    if text == "0" and low <= 0:
        return 0
    if not text:
        if missing is None:
            raise ShapeError("it is missing", name)
        return missing
    try:
        number = int(text)
    except ValueError:
        number = high
    if not low <= number < high:
        raise ShapeError(f"it is {shown(text)}; it must be an integer from {low} to {high - 1}", name)
    return number


def rotation_of(element: Any) -> float | None:
    """The rotation in degrees, None without one.

    Raises:
        ShapeError: it is no number.
    """
    text = element.get("rotation")
    return (float(_decimal(element, "rotation")) or None) if text else None


def _decimal(element: Any, name: str) -> Decimal:
    """A number with all of its decimals: differences of coordinates are exact.

    Raises:
        ShapeError: it is missing or no finite number.
    """
    text = element.get(name)
    if text is None:
        raise ShapeError("it is missing", name)
    try:
        number = Decimal(text)
        if number.is_finite() and isfinite(float(number)):
            return number
    except (InvalidOperation, OverflowError):
        pass
    raise ShapeError(f"it is {shown(text)}; it must be a finite number", name)


def _box(element: Any) -> CvatShape:
    left, top = _decimal(element, "xtl"), _decimal(element, "ytl")
    width, height = (
        float(EXACT.subtract(_decimal(element, name), start)) for name, start in (("xbr", left), ("ybr", top))
    )
    if width < 0 or height < 0:
        name, other, size = ("xbr", "xtl", width) if width < 0 else ("ybr", "ytl", height)
        raise ShapeError(f"it is less than {other}, by {-size}", name)
    return CvatShape("bbox", (float(left), float(top), width, height), width * height)


def _ellipse(element: Any, size: Size) -> CvatShape:
    center = _decimal(element, "cx"), _decimal(element, "cy")
    radius = _decimal(element, "rx"), _decimal(element, "ry")
    for name, length in zip(("rx", "ry"), radius, strict=True):
        if length < 0:
            raise ShapeError(f"it is {length}; a radius cannot be negative", name)
    left, top = (float(EXACT.subtract(place, length)) for place, length in zip(center, radius, strict=True))
    width, height = (float(2 * length) for length in radius)
    return CvatShape("ellipse", (left, top, width, height), pi * width * height / 4)


def _points(element: Any, fewest: int) -> array[float]:
    text = element.get("points")
    if text is None:
        raise ShapeError("it is missing", "points")
    pairs = text.strip().rstrip(";").split(";")
    count = len(pairs)
    try:
        numbers = array("d", map(float, ",".join(pairs).split(",")))
    except ValueError:
        numbers = array("d")
    if len(numbers) != 2 * count or set(map(_COMMAS, pairs)) != {1}:
        raise ShapeError(f"it is {shown(text)}; it must be numbers x,y;x,y;...", "points")
    if count < fewest:
        raise ShapeError(f"it has {count} points; {element.tag} needs at least {fewest}", "points")
    if not isfinite(sum(numbers)) and not all(map(isfinite, numbers)):
        raise ShapeError("it has a coordinate that is not finite", "points")
    return numbers


def _mask(element: Any, size: Size) -> CvatShape:
    if size is None:
        raise ShapeError("the size of its image is unknown", "rle")
    try:
        counts = [int(text) for text in (element.get("rle") or "").split(",")]
    except ValueError:
        raise ShapeError(
            f"it is {shown(element.get('rle'))}; it must be integers with commas between them", "rle"
        ) from None
    left, top = integer(element, "left"), integer(element, "top")
    right, bottom = left + integer(element, "width") - 1, top + integer(element, "height") - 1
    try:
        rle = from_cvat(counts, left, top, right, bottom, size)
        x, y, width, height = map(float, masks.box(rle))
        return CvatShape("mask", (x, y, width, height), float(masks.area(rle)), mask=rle["counts"])
    except AnnotationError as error:
        raise ShapeError(str(error), "rle") from error


def _cuboid(element: Any, size: Size) -> CvatShape:
    points = array("d")
    for corner in CUBOID:
        points.extend(float(_decimal(element, f"{axis}{corner}")) for axis in "xy")
    return CvatShape("skeleton", points=points, visibility=[2] * len(CUBOID), text=json.dumps(CUBOID))


def _skeleton(element: Any, names: Sequence[str]) -> CvatShape:
    """A skeleton: points in the order of ``names``, then others in that of the file; what is missing is absent."""
    found: dict[str, tuple[float, float, int]] = {}
    details: list[tuple[str, str]] = []
    is_keyframe = flag(element, "keyframe", True)
    for child in element.iterchildren("points", "box", "polygon", "polyline", "ellipse", "mask", "cuboid"):
        name = child.get("label")
        if child.tag != "points" or not name or name in found:
            raise ShapeError("a skeleton consists of points with different labels", "label")
        points = _points(child, 1)
        outside, occluded = flag(child, "outside"), flag(child, "occluded")
        found[name] = (points[0], points[1], 0 if outside else 1 if occluded else 2)
        if outside and occluded:
            details.append((f"{name}.occluded", "true"))
        if flag(child, "keyframe", is_keyframe) != is_keyframe:
            details.append((f"{name}.keyframe", "false" if is_keyframe else "true"))
        details.extend((f"{name}.{own}", text) for own, text in attribute_texts(child))
    order = [*names, *(name for name in found if name not in set(names))]
    if not order:
        raise ShapeError("it has no points", "points")
    rows = [found.get(name, (0.0, 0.0, 0)) for name in order]
    return CvatShape(
        "skeleton",
        points=array("d", (number for row in rows for number in row[:2])),
        visibility=[row[2] for row in rows],
        text=json.dumps(order, ensure_ascii=False),
        details=details,
    )


def attribute_texts(element: Any) -> list[tuple[str, str]]:
    """Names and texts of the attributes of an annotation.

    Raises:
        ShapeError: one has no name.
    """
    found = []
    for child in element.iterchildren("attribute"):
        name = child.get("name")
        if not name:
            raise ShapeError("an attribute has no name", "name")
        found.append((name, child.text or ""))
    return found


_OTHERS: dict[str, Callable[[Any, Size], CvatShape]] = {"ellipse": _ellipse, "mask": _mask, "cuboid": _cuboid}
SHAPES = ("box", *FEWEST, "skeleton", *_OTHERS)
"""Names of the elements of shapes."""
