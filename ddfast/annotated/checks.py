"""Checks of the values of annotations, fast for values that are right."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from operator import index
from typing import Any

from ddfast.errors import AnnotationError

__all__ = [
    "LABELS",
    "WHOLE",
    "coordinates",
    "finite",
    "integer",
    "label_index",
    "mapping",
    "shown",
    "text",
    "time_text",
]

WHOLE = 2**63  # ids, groups and tracks fit into int64
LABELS = 2**31  # labels, frames and z orders fit into int32
SHOWN = 80  # characters of a value in a message


def shown(value: object) -> str:
    """A value in a message, cut if it is long."""
    written = repr(value)
    return written if len(written) <= SHOWN else f"{written[:SHOWN]}..."


def integer(kind: str, field: str, value: Any, low: int = -WHOLE, high: int = WHOLE) -> int:
    """A whole number in ``[low, high)`` as int.

    Raises:
        AnnotationError: the value is no whole number, or out of range.
    """
    try:
        number = index(value)
    except TypeError:
        raise AnnotationError(f"{kind}.{field} is {shown(value)}; it must be a whole number") from None
    if isinstance(value, bool) or not low <= number < high:
        raise AnnotationError(
            f"{kind}.{field} is {shown(value)}; it must be an integer from {low} to {high - 1}"
        )
    return number


def label_index(kind: str, value: Any) -> int | None:
    """The index of a label, from 0, or None.

    Raises:
        AnnotationError: the value is neither.
    """
    return None if value is None else integer(kind, "label", value, 0, LABELS)


def finite(kind: str, field: str, value: Any) -> float:
    """A number that is neither NaN nor infinite, as float.

    Raises:
        AnnotationError: the value is something else.
    """
    if not isinstance(value, (str, bytes, bool)):
        try:
            number = float(value)
            if isfinite(number):
                return number
        except (TypeError, ValueError, OverflowError):
            pass
    raise AnnotationError(f"{kind}.{field} is {shown(value)}; it must be a finite number")


def coordinates(kind: str, field: str, values: Any, fewest: int = 2, multiple: int = 2) -> list[float]:
    """Coordinates as a flat list of Python's numbers, none of which is NaN or infinite.

    Parameters:
        kind: the class, for messages.
        field: the name of the value, for messages.
        values: numbers, flat; or an array of any shape.
        fewest: how many numbers there must be at least.
        multiple: the number of values must be a multiple of this.

    Raises:
        AnnotationError: the values are something else.
    """
    if hasattr(values, "reshape"):
        values = values.reshape(-1)
        values = values.tolist() if hasattr(values, "tolist") else values
    try:
        numbers = list(values)
        total = sum(numbers)
        if total.__class__ is not float and total.__class__ is not int:
            numbers = list(map(float, numbers))  # numbers of numpy and others
        known = isfinite(total) or all(map(isfinite, numbers))  # a sum of finite numbers may be infinite
    except (TypeError, ValueError, OverflowError):
        raise AnnotationError(
            f"{kind}.{field} is {shown(values)}; it must be a flat list of finite numbers"
        ) from None
    if not known:
        wrong = next(at for at, number in enumerate(numbers) if not isfinite(number))
        raise AnnotationError(f"{kind}.{field}[{wrong}] is {numbers[wrong]}; coordinates must be finite")
    if len(numbers) % multiple or len(numbers) < fewest:
        even = f", in groups of {multiple}" if multiple > 1 else ""
        raise AnnotationError(
            f"{kind}.{field} has {len(numbers)} numbers ({shown(numbers)}); it needs at least {fewest}{even}"
        )
    return numbers


def mapping(kind: str, value: Any) -> dict[str, Any]:
    """Attributes as a dict; a dict is not copied.

    Raises:
        AnnotationError: the value is no mapping.
    """
    if isinstance(value, dict):
        return value
    if not isinstance(value, Mapping):
        raise AnnotationError(f"{kind}.attributes is {shown(value)}; it must be a dict")
    return dict(value)


def text(kind: str, field: str, value: Any) -> str | None:
    """A string, or None.

    Raises:
        AnnotationError: the value is neither.
    """
    if value is None or isinstance(value, str):
        return value
    raise AnnotationError(f"{kind}.{field} is {shown(value)}; it must be a string")


def time_text(kind: str, value: Any) -> str | None:
    """A time as ISO 8601 text, as it was given if it is text already.

    Raises:
        AnnotationError: the value is no time.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    try:
        datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
    except (AttributeError, TypeError, ValueError):
        raise AnnotationError(
            f"{kind}.created is {shown(value)}; it must be a datetime or ISO 8601 text such as '2024-05-17T08:30:00Z'"
        ) from None
    return str(value)
