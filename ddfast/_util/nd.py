"""Numpy arrays, numpy scalars and complex numbers as msgpack maps, in the layout of msgpack-numpy 0.4.8.

An array is ``{b"nd": True, b"type": descr, b"kind": b"" | b"V" | b"O", b"shape": ..., b"data": bytes}``,
a scalar ``{b"nd": False, b"type": dtype.str, b"data": bytes}``, a complex number
``{b"complex": True, b"data": repr}``. ``encode`` goes into a packer as ``default``,
``decode`` into an unpacker as ``object_hook``.
"""

from __future__ import annotations

import math
import pickle
import re
import reprlib
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import index
from typing import Any

import numpy as np

from ddfast.errors import CorruptSampleError, PickleRefusedError

# All values of dtype.str for types without Python objects. Writers never produce names such as "float32", aliases that
# depend on the platform, or comma-separated strings of several types.
_DTYPE = re.compile(
    r"[<>|=]?(?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SUV][0-9]{0,9}"
    r"|[mM]8(?:\[[0-9]{0,9}(?:generic|Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)(?:/[1-9][0-9]{0,8})?\])?)",
    re.ASCII,
)
# The most common dtypes and their names in the format: a lookup is faster than numpy.
_NUMBERS = {np.dtype(code): np.dtype(code).str for code in "?bBhHiIlLqQefdFD"}
_SMALL = 4096  # bytes; copying fewer is faster than creating a buffer
_MAX_DTYPE_DEPTH = 32
_MAX_DIMS = 64  # the limit of numpy
_MAX_EMPTY = 1 << 20  # limit of the elements of an array without bytes, to bound loops over it


def encode(obj: Any) -> Any:
    """The map that represents an array, a numpy scalar or a complex number; anything else unchanged.

    Raises:
        TypeError: a structured array contains Python objects, or the elements of an array are outside its buffer.
    """
    if type(obj) is np.ndarray:
        descr = _NUMBERS.get(obj.dtype)
        if descr is not None:
            data = obj.tobytes() if obj.nbytes <= _SMALL else _array_data(obj)
            return {b"nd": True, b"type": descr, b"kind": b"", b"shape": obj.shape, b"data": data}
    if isinstance(obj, np.ndarray):
        return _encode_array(obj)
    if isinstance(obj, (np.bool_, np.number)):
        return {b"nd": False, b"type": obj.dtype.str, b"data": obj.data}
    if isinstance(obj, complex):
        return {b"complex": True, b"data": repr(obj)}
    return obj


def decode(obj: dict[Any, Any], *, allow_pickle: bool = False) -> Any:
    """The value that a map represents; a map that lacks one of the required pairs is returned unchanged.

    An array is a read-only view of the map's data.

    Parameters:
        obj: an unpacked map whose values are decoded already.
        allow_pickle: also load arrays of Python objects, which are pickles. A pickle can run arbitrary code: use True
            only for trusted data.

    Raises:
        CorruptSampleError: the map has all required pairs, and one of them is invalid.
        PickleRefusedError: the map represents a pickled array, and ``allow_pickle`` is False.
    """
    if b"nd" in obj:
        if obj[b"nd"] is not True:
            return _decode_scalar(obj)
        kind = obj.get(b"kind")
        if isinstance(kind, bytes) and kind == b"O":
            return _decode_pickle(obj, allow_pickle)
        return _decode_array(obj)
    if b"complex" in obj:
        return _decode_complex(obj)
    return obj


def stands_for_value(obj: Mapping[Any, Any]) -> bool:
    """Whether ``decode`` would convert this map, or refuse it."""
    if b"nd" not in obj:
        return b"complex" in obj and b"data" in obj
    if obj[b"nd"] is not True:
        return b"type" in obj and b"data" in obj
    kind = obj.get(b"kind")
    if isinstance(kind, (bytes, bytearray, memoryview)) and kind == b"O":
        return b"data" in obj
    return b"type" in obj and b"shape" in obj and b"data" in obj


def _encode_array(array: np.ndarray[Any, Any]) -> dict[bytes, Any]:
    dtype = array.dtype
    kind = dtype.kind
    if kind in "VO":
        descr: Any = dtype.descr
        return {
            b"nd": True,
            b"type": descr,
            b"kind": kind.encode(),
            b"shape": array.shape,
            b"data": array.dumps() if kind == "O" else _array_data(array),
        }
    return {b"nd": True, b"type": dtype.str, b"kind": b"", b"shape": array.shape, b"data": _array_data(array)}


def _array_data(array: np.ndarray[Any, Any]) -> Any:
    dtype = array.dtype
    if dtype.hasobject:
        raise TypeError(f"can not pack an array of dtype {dtype}: its bytes are addresses of Python objects")
    if array.flags.c_contiguous and sys.platform != "darwin":
        try:
            return array.data
        except ValueError:  # dates, alone or in a structure
            pass
    return array.tobytes()


def _decode_array(obj: dict[Any, Any]) -> Any:
    try:
        descr, data, shape = obj[b"type"], obj[b"data"], obj[b"shape"]
    except KeyError:
        return obj
    dtype = _dtype(descr)
    shape = _shape(shape)
    with _view(data) as view:
        size = view.nbytes
    if math.prod(shape) * dtype.itemsize > size:
        raise CorruptSampleError(f"an array of shape {shape} and dtype {dtype} does not fit its {size} bytes")
    if math.prod(length or 1 for length in shape) > max(size, _MAX_EMPTY):
        raise CorruptSampleError(
            f"an array of shape {shape} and dtype {dtype} has too many elements for {size} bytes"
        )
    try:
        return np.ndarray(buffer=data, dtype=dtype, shape=shape)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise CorruptSampleError(f"not an array of shape {shape} and dtype {dtype}: {error}") from error


def _decode_scalar(obj: dict[Any, Any]) -> Any:
    try:
        descr, data = obj[b"type"], obj[b"data"]
    except KeyError:
        return obj
    dtype = _dtype(descr)
    with _view(data) as view:
        size = view.nbytes
    if dtype.itemsize == 0 or size == 0 or size % dtype.itemsize:
        raise CorruptSampleError(f"{size} bytes are not a scalar of dtype {dtype}")
    try:
        return np.frombuffer(data, dtype=dtype, count=1)[0]
    except (ValueError, TypeError) as error:
        raise CorruptSampleError(f"not a scalar of dtype {dtype}: {error}") from error


def _decode_complex(obj: dict[Any, Any]) -> Any:
    try:
        data = obj[b"data"]
    except KeyError:
        return obj
    try:
        return complex(data.decode() if isinstance(data, bytes) else str(data))
    except ValueError as error:
        raise CorruptSampleError(f"{reprlib.repr(data)} is not a complex number") from error


def _decode_pickle(obj: dict[Any, Any], allow_pickle: bool) -> Any:
    try:
        data = obj[b"data"]
    except KeyError:
        return obj
    if not allow_pickle:
        raise PickleRefusedError(
            "an array of Python objects is stored as a pickle, which can run arbitrary code when it is loaded; "
            "open the dataset with allow_pickle=True if you trust its source"
        )
    try:
        return pickle.loads(data)
    except Exception as error:
        raise CorruptSampleError(f"a pickled array does not load: {error!r}") from error


def _view(data: Any) -> memoryview:
    """The bytes of the data of an array or a scalar.

    Raises:
        CorruptSampleError: the data is not binary.
    """
    try:
        return memoryview(data)
    except TypeError as error:
        raise CorruptSampleError(f"the data of an array is {type(data).__name__}, not bytes") from error


def _shape(shape: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(index(size) for size in (shape if isinstance(shape, Iterable) else (shape,)))
    except TypeError as error:
        raise CorruptSampleError(f"{reprlib.repr(shape)} is not an array shape") from error
    if len(sizes) > _MAX_DIMS or any(size < 0 for size in sizes):
        raise CorruptSampleError(f"{reprlib.repr(shape)} is not an array shape")
    return sizes


def _dtype(descr: Any, depth: int = 0) -> np.dtype[Any]:
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
    shape = (_shape(field[2]),) if len(field) == 3 else ()
    return (_field_name(field[0]), _dtype(field[1], depth + 1), *shape)


def _field_name(name: Any) -> Any:
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    if isinstance(name, str):
        return name
    if isinstance(name, (list, tuple)) and len(name) == 2 and all(isinstance(part, str) for part in name):
        return tuple(name)  # title and name
    raise CorruptSampleError(f"{reprlib.repr(name)} is not a name of a field")
