"""Dtypes and shapes of arrays in the format: which ones a writer accepts, and which ones a reader does."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterable
from functools import lru_cache
from operator import index
from typing import Any

import numpy as np

from ddfast.errors import CorruptSampleError

__all__ = ["check_countable", "parse_dtype", "parse_shape", "stored_form"]

# All values of dtype.str for types without Python objects. Writers never produce names such as "float32", aliases that
# depend on the platform, or comma-separated strings of several types.
_DTYPE = re.compile(
    r"[<>|=]?(?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SUV][0-9]{0,9}"
    r"|[mM]8(?:\[[0-9]{0,9}(?:generic|Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)(?:/[1-9][0-9]{0,8})?\])?)",
    re.ASCII,
)
_MAX_DTYPE_DEPTH = 32
_MAX_DIMS = 64  # the limit of numpy
_MAX_ROWS = 1 << 26  # limit of the rows of an array without bytes, to bound loops over it
_MAX_BYTES = np.iinfo(np.intp).max


@lru_cache(maxsize=256)
def stored_form(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Any]:
    """The dtype with which arrays of a dtype are stored, and its description in the format.

    They are equal, except that structures are stored without gaps between their fields, which the description would
    turn into fields.

    Raises:
        TypeError: a reader could not restore the dtype.
    """
    if dtype.names is not None and dtype.hasobject:
        raise TypeError(f"can not pack an array of dtype {dtype}: its bytes are addresses of Python objects")
    stored = _without_gaps(dtype)
    descr = dtype.str if dtype.names is None else stored.descr
    try:
        if parse_dtype(descr) == stored:
            return stored, descr
    except CorruptSampleError:
        pass
    raise TypeError(
        f"can not pack an array of dtype {dtype}: the format has no such dtype, so that it would be read back as "
        "another one; convert it with array.astype(), for example to float32 or str"
    )


def _without_gaps(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((_without_gaps(base), shape))
    if dtype.names is None or dtype.fields is None:
        return dtype
    fields: list[Any] = []
    for name in dtype.names:
        part, _, *title = dtype.fields[name]
        fields.append(((title[0], name) if title else name, _without_gaps(part)))
    return np.dtype(fields)


def check_countable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Check that loops over an array come to an end, whose shape need not agree with any number of bytes.

    Raises:
        TypeError: it has too many rows without elements, or a size that numpy does not support.
    """
    if 0 not in shape and dtype.itemsize:
        return
    rows = math.prod(shape[: shape.index(0)] if 0 in shape else shape)
    if rows > _MAX_ROWS:
        raise TypeError(
            f"an array of shape {shape} and dtype {dtype} has {rows:,} rows without bytes, more than {_MAX_ROWS:,}; "
            "store it with a dimension of length 0 first"
        )
    if math.prod(length or 1 for length in shape) * max(dtype.itemsize, 1) > _MAX_BYTES:
        raise TypeError(f"an array of shape {shape} and dtype {dtype} is too large for numpy")


def parse_shape(shape: Any) -> tuple[int, ...]:
    """The shape of an array.

    Raises:
        CorruptSampleError: it is not a shape that numpy supports.
    """
    try:
        sizes = tuple(index(size) for size in (shape if isinstance(shape, Iterable) else (shape,)))
    except TypeError as error:
        raise CorruptSampleError(f"{reprlib.repr(shape)} is not an array shape") from error
    if len(sizes) > _MAX_DIMS or any(size < 0 for size in sizes):
        raise CorruptSampleError(f"{reprlib.repr(shape)} is not an array shape")
    return sizes


def parse_dtype(descr: Any, depth: int = 0) -> np.dtype[Any]:
    """The dtype of a description: the name of a dtype, or the list of the fields of a structure.

    Raises:
        CorruptSampleError: it describes no dtype, or one that could harm.
    """
    if isinstance(descr, bytes):
        descr = descr.decode("latin-1")
    if isinstance(descr, str):
        return _simple_dtype(descr)
    if not isinstance(descr, (list, tuple)) or depth == _MAX_DTYPE_DEPTH:
        raise CorruptSampleError(f"{reprlib.repr(descr)} is not a dtype")
    fields = [_field(field, depth) for field in descr]
    try:
        return np.dtype(fields)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise CorruptSampleError(f"{reprlib.repr(descr)} is not a dtype: {error}") from error


@lru_cache(maxsize=256)
def _simple_dtype(name: str) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(name):
        raise CorruptSampleError(f"{reprlib.repr(name)} is not a dtype that an array can have")
    try:
        return np.dtype(name)
    except (ValueError, TypeError, OverflowError) as error:
        raise CorruptSampleError(f"{reprlib.repr(name)} is not a dtype: {error}") from error


def _field(field: Any, depth: int) -> tuple[Any, ...]:
    """One field of a structured dtype, from ``[name, type]`` or ``[name, type, shape]``."""
    if not isinstance(field, (list, tuple)) or len(field) not in (2, 3):
        raise CorruptSampleError(f"{reprlib.repr(field)} is not a field of a dtype")
    shape = (parse_shape(field[2]),) if len(field) == 3 else ()
    return (_field_name(field[0]), parse_dtype(field[1], depth + 1), *shape)


def _field_name(name: Any) -> Any:
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    if isinstance(name, str):
        return name
    if isinstance(name, (list, tuple)) and len(name) == 2 and all(isinstance(part, str) for part in name):
        return tuple(name)  # title and name
    raise CorruptSampleError(f"{reprlib.repr(name)} is not a name of a field")
