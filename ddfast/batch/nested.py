"""Bounds for nested values that become Arrow arrays, whose memory does not depend on the size of the values alone.

Arrow has one array for each place in nested values: a field of a map, or the items of a list. The array of a field
has an entry for every map, also for those without the field; so maps of different fields take the product of their
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["check_nested", "check_rows"]

MAX_DEPTH = 64  # Arrow's own limit for files and streams
# Entries of all arrays: any number up to FREE, and else this many times the number of values.
FREE = 1 << 22
PER_VALUE = 64


class _NestedPlace:
    """A place in nested values.

    Attributes:
        fields: the places of the fields of the maps here.
        items: the place of the items of the lists here.
        count: number of these items.
    """

    __slots__ = ("count", "fields", "items")

    def __init__(self) -> None:
        self.fields: dict[Any, _NestedPlace] = {}
        self.items: _NestedPlace | None = None
        self.count = 0

    def inside(self, value: Any) -> list[tuple[_NestedPlace, Any]]:
        """The values in a map or a list, each with its place."""
        if isinstance(value, dict):
            return [(self.fields.setdefault(name, _NestedPlace()), item) for name, item in value.items()]
        if not isinstance(value, list) or not value:
            return []
        self.items = self.items or _NestedPlace()
        self.count += len(value)
        return [(self.items, item) for item in value]


def check_nested(values: Sequence[Any]) -> None:
    """Check that Arrow arrays of values hold them all, and take memory in proportion to the values.

    Raises:
        TypeError: they are nested too deeply, or have too many different fields, or names of fields that pyarrow
            confuses: it finds only str or only bytes in the maps of one place.
    """
    root = _NestedPlace()
    level = [(root, value) for value in values]
    depth, found = 0, 0
    while level:
        if depth > MAX_DEPTH:
            raise TypeError(f"its values are nested more than {MAX_DEPTH} levels deep")
        found += len(level)
        level = [inner for place, value in level for inner in place.inside(value)]
        depth += 1
    entries = _count_entries(root, len(values))
    if entries > FREE + PER_VALUE * found:
        raise TypeError(
            f"its maps have so many different fields that {found:,} values would take {entries:,} entries in Arrow"
        )


def _count_entries(root: _NestedPlace, rows: int) -> int:
    total, pending = 0, [(root, rows)]
    while pending:
        place, entries = pending.pop()
        total += entries
        if {str, bytes} <= set(map(type, place.fields)):
            raise TypeError("its maps have str and bytes as keys")
        pending.extend((field, entries) for field in place.fields.values())
        if place.items is not None:
            pending.append((place.items, place.count))
    return total


def check_rows(arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    """Check that arrays become nested lists that take memory in proportion to the arrays.

    Raises:
        TypeError: they have too many rows without elements.
    """
    rows = sum(int(np.prod(array.shape[: array.shape.index(0)])) for array in arrays if 0 in array.shape)
    if rows > FREE:
        raise TypeError(f"its arrays have {rows:,} rows without elements")
