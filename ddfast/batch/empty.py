"""Columns without values, and names that no column has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ddfast._native.columns import BytesColumn, Column, ObjectColumn, StrColumn, ViewsColumn
from ddfast._util.brief import brief

__all__ = ["OBJECT", "ColumnKind", "empty_column", "similar_name"]

# Name of the kind, as in `ddfast.batch`; dtype and shape of one value, if they are the same for all.
ColumnKind = tuple[str, np.dtype[Any] | None, tuple[int, ...]]

OBJECT: ColumnKind = ("object", None, ())
_VIEWS: dict[str, type[Column[Any]]] = {"str": StrColumn, "bytes": BytesColumn, "arrays": ViewsColumn}


def empty_column(kind: ColumnKind) -> np.ndarray[Any, Any] | Column[Any]:
    """A column of a kind without values."""
    name, dtype, shape = kind
    if dtype is not None:
        return np.empty((0, *shape), dtype)
    if name in _VIEWS:
        return _VIEWS[name].__new__(_VIEWS[name])  # a new column has no values
    return ObjectColumn(0, lambda row: None)


def similar_name(name: object, names: Iterable[str]) -> str:
    """A question after the name that was meant, or a full stop."""
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"; did you mean {brief(close[0])}?" if close and close[0] != name else "."
