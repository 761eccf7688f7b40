"""Shapes of labelme as rows of the table of annotations."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence
from math import atan2, degrees, hypot, isfinite
from typing import Any, NamedTuple

import numpy as np

from ddfast.annotated import masks, pixels
from ddfast.annotated.checks import shown
from ddfast.annotated.schema import CROWD
from ddfast.errors import AnnotationError, ImageError, MediaError

__all__ = ["SHAPE_KEYS", "LabelmeGroups", "LabelmeShapeError", "attributes_of", "shape_row"]

SHAPE_KEYS = frozenset({
    "label", "points", "group_id", "description", "shape_type", "flags", "mask", "score", "attributes", "visibility",
})  # fmt: skip
"""Keys of a shape that have a meaning here; others become attributes."""

Values = dict[str, Any]
Pairs = list[float]
Size = tuple[int | None, int | None]


class LabelmeShapeError(Exception):
    """A shape makes no sense.

    Parameters:
        message: what is wrong.
        field: the key whose value it is.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class ShapeKind(NamedTuple):
    """What shapes of a type are.

    Attributes:
        type: of the annotation.
        counts: numbers of points that they can have: the fewest, and the most.
        values: columns from the points.
    """

    type: str
    counts: tuple[int, int]
    values: Callable[[Pairs], Values]


def _plain(points: Pairs) -> Values:
    return {"points": points}


def _rectangle(points: Pairs) -> Values:
    x, y = points[::2], points[1::2]
    if len(x) == 3:
        raise LabelmeShapeError("3 points are no rectangle: there are 2 opposite corners, or 4", "points")
    return {"box": (min(x), min(y), max(x) - min(x), max(y) - min(y))}


def _circle(points: Pairs) -> Values:
    x, y, rim_x, rim_y = points
    radius = hypot(rim_x - x, rim_y - y)
    return {"box": (x - radius, y - radius, 2 * radius, 2 * radius)}


def _rotated(points: Pairs) -> Values:
    """Corners of a rotated box, as X-AnyLabeling writes them: the first two are its upper side."""
    x, y = points[::2], points[1::2]
    width, height = hypot(x[1] - x[0], y[1] - y[0]), hypot(x[2] - x[1], y[2] - y[1])
    box = (sum(x) / 4 - width / 2, sum(y) / 4 - height / 2, width, height)
    return {"box": box, "rotation": degrees(atan2(y[1] - y[0], x[1] - x[0])) % 360 or None}


MANY = 1 << 30

KINDS = {
    "polygon": ShapeKind("polygon", (3, MANY), _plain),
    "rectangle": ShapeKind("bbox", (2, 4), _rectangle),
    "circle": ShapeKind("ellipse", (2, 2), _circle),
    "line": ShapeKind("polyline", (2, 2), _plain),
    "linestrip": ShapeKind("polyline", (2, MANY), _plain),
    "point": ShapeKind("points", (1, 1), _plain),
    "points": ShapeKind("points", (1, MANY), _plain),
    "mask": ShapeKind("mask", (2, 2), _plain),
    "rotation": ShapeKind("bbox", (4, 4), _rotated),
}


def shape_row(shape: Any, size: Callable[[], Size]) -> Values:
    """Type, points or box, and mask of a shape.

    Parameters:
        shape: the value in the file.
        size: gives height and width of the image; called for masks only.

    Raises:
        LabelmeShapeError: the shape makes no sense.
    """
    name = shape.get("shape_type") or "polygon"  # files of old versions do not say it
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise LabelmeShapeError(
            f"there is no shape {shown(name)}; there are {', '.join(KINDS)}", "shape_type"
        )
    points = _points(shape.get("points"))
    fewest, most = kind.counts
    if not fewest <= len(points) // 2 <= most:
        wanted = (
            f"{fewest}" if fewest == most else f"{fewest} or more" if most == MANY else f"{fewest} or {most}"
        )
        raise LabelmeShapeError(f"a {name} has {len(points) // 2} points; it must have {wanted}", "points")
    if kind.type == "mask":
        return {"type": "mask", **_mask(points, shape.get("mask"), size())}
    values = kind.values(points)
    if name in ("point", "points"):
        values["visibility"] = _visibility(shape.get("visibility"), len(points) // 2)
    return {"type": kind.type, **values}


def _points(value: Any) -> Pairs:
    """x and y in turn."""
    try:
        flat = [number for x, y in value for number in (x, y)]
        if all(number.__class__ is float or number.__class__ is int for number in flat) and isfinite(
            sum(flat)
        ):
            return list(map(float, flat))
    except (TypeError, ValueError, OverflowError):
        pass
    raise LabelmeShapeError(f"points are {shown(value)}; they must be pairs of numbers", "points")


def _visibility(value: Any, count: int) -> list[int] | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == count and all(state in (0, 1, 2) for state in value):
        return value
    raise LabelmeShapeError(
        f"visibility is {shown(value)}; it must be 0, 1 or 2 for each of {count} points", "visibility"
    )


def _mask(points: Pairs, text: Any, size: Size) -> Values:
    """A mask from the corners of its box, which belong to it, and a PNG file of the pixels in the box."""
    height, width = size
    if height is None or width is None:
        raise LabelmeShapeError("a mask needs the height and width of the image, which are unknown", "mask")
    found = png_mask(text)
    left, top = (int(min(points[place::2])) for place in (0, 1))
    try:
        rle = masks.from_crop(found, left, top, height, width)
    except AnnotationError as error:
        raise LabelmeShapeError(str(error), "mask") from error
    return {
        "box": masks.box(rle),
        "area": float(masks.area(rle)),
        "mask": rle["counts"],
        "mask_height": height,
        "mask_width": width,
    }


def png_mask(text: Any) -> np.ndarray[Any, Any]:
    """The pixels of a mask from the text of an image file in base 64."""
    try:
        image = pixels.decode(binascii.a2b_base64(text), "the mask")
    except (TypeError, ValueError, ImageError, MediaError) as error:
        raise LabelmeShapeError(f"it is no image file in base 64: {error}", "mask") from error
    found: np.ndarray[Any, Any] = image != 0 if image.ndim == 2 else np.any(image[:, :, :3] != 0, axis=2)
    return found


def attributes_of(shape: Mapping[str, Any]) -> Values:
    """Attributes of a shape: its flags, its description, attributes, and what else other programs write.

    Raises:
        LabelmeShapeError: a value has another form.
    """
    found: Values = {}
    for name in ("flags", "attributes"):
        given = shape.get(name)
        if isinstance(given, dict):
            found |= given
        elif given:
            raise LabelmeShapeError(f"{name} are {shown(given)}; they must be a map", name)
    if shape.get("description"):
        found["description"] = shape["description"]
    if len(shape.keys() - SHAPE_KEYS):
        found |= {key: value for key, value in shape.items() if key not in SHAPE_KEYS and value is not None}
    return found


def crowd_of(attributes: Values) -> bool | None:
    """The attribute ``is_crowd``, which is taken away."""
    crowd = attributes.get(CROWD)
    if not isinstance(crowd, bool):
        return None
    del attributes[CROWD]
    return crowd


class LabelmeGroups:
    """Numbers of the groups in one file: those of the file; groups called 0, or by text, get unused ones.

    Parameters:
        shapes: all shapes of the file.
    """

    def __init__(self, shapes: Sequence[Any]) -> None:
        given = [shape.get("group_id") for shape in shapes if isinstance(shape, dict)]
        self._unused = max([int(one or 0) for one in given if _is_number(one)], default=0) + 1
        self._numbers: dict[Any, int] = {}

    def of(self, group: Any) -> int | None:
        """The number of a group; None for none.

        Raises:
            LabelmeShapeError: it is neither a number nor text.
        """
        if group is None or group == "":
            return None
        if _is_number(group):
            return int(group)
        if isinstance(group, bool) or not isinstance(group, int | str):
            raise LabelmeShapeError(f"group_id is {shown(group)}; it must be a whole number", "group_id")
        if group not in self._numbers:
            self._numbers[group] = self._unused
            self._unused += 1
        return self._numbers[group]


def _is_number(group: Any) -> bool:
    """Whether a group can keep its number."""
    return type(group) is int and group != 0 and abs(group) < 1 << 62
