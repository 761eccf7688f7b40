"""Coordinates as text, many at a time."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.packing import decimals_of
from ddfast.annotated.tables import floats
from ddfast.formats.cvat.shapes import EXACT
from ddfast.tools.json_columns import format_numbers

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]

COMMA, SEMICOLON, BAR, NEWLINE = b",;|\n"
MAX_DECIMALS = 9


def number_texts(values: Floats) -> list[str]:
    """The text of each number: the shortest that is read as the same number."""
    return _separated(values, np.full(values.size, NEWLINE, np.uint8))


def pair_texts(values: Floats, offsets: npt.NDArray[Any], breaks: npt.NDArray[Any]) -> list[str]:
    """The points of each shape as ``x,y;x,y``.

    Parameters:
        values: x and y in turn of all shapes.
        offsets: where each shape begins; none is empty.
        breaks: where a new part of a shape begins: there stands ``|`` instead of ``;``.
    """
    separators = np.full(len(values), COMMA, np.uint8)
    separators[1::2] = SEMICOLON
    separators[breaks - 1] = BAR
    separators[offsets[1:] - 1] = NEWLINE
    return _separated(values, separators)


def _separated(values: Floats, separators: npt.NDArray[np.uint8]) -> list[str]:
    """Texts of numbers, with a separator after each, split where it is a new line."""
    if not values.size:
        return []
    text, bounds = format_numbers(values.reshape(-1), short=True)
    out = np.empty(len(text) + len(separators), np.uint8)
    is_text = np.ones(len(out), bool)
    at = bounds[1:] + np.arange(len(separators))
    is_text[at] = False
    out[is_text] = text
    out[at] = separators
    return out.tobytes()[:-1].decode("ascii").split("\n")


def exact_sums(table: pa.Table, start: str, length: str) -> list[str]:
    """Texts of the sums of two columns, with all decimals, so that their difference is exact, too."""
    one, two = floats(table, start), floats(table, length)
    places = [decimals_of(table.schema.field(name)) for name in (start, length)]
    known = [place for place in places if place is not None]
    if len(known) == 2 and max(known) <= MAX_DECIMALS and _is_small(one, two):
        return number_texts(np.round(one + two, max(known)))
    return [
        str(EXACT.add(Decimal(repr(first)), Decimal(repr(second))))
        for first, second in zip(one.tolist(), two.tolist(), strict=True)
    ]


def _is_small(*columns: Floats) -> bool:
    """Whether sums with `MAX_DECIMALS` are rounded to the nearest number."""
    return all(bool((np.abs(values) < 1e6).all()) for values in columns)
