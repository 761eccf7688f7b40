"""Numpy arrays, numpy scalars and complex numbers as msgpack maps, in the layout of msgpack-numpy 0.4.8.

An array is ``{b"nd": True, b"type": descr, b"kind": b"" | b"V" | b"O", b"shape": ..., b"data": bytes}``,
a scalar ``{b"nd": False, b"type": dtype.str, b"data": bytes}``, a complex number
``{b"complex": True, b"data": repr}``. ``encode`` goes into a packer as ``default``,
``decode`` into an unpacker as ``object_hook``. `ddfast._util.nd_dtype` has the rules for dtypes and shapes.
"""

from __future__ import annotations

import math
import pickle
import reprlib
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ddfast._util.caller import level_of_caller
from ddfast._util.nd_dtype import check_countable, parse_dtype, parse_shape, stored_form
from ddfast.errors import CorruptSampleError, PickleRefusedError

# The most common dtypes and their names in the format: a lookup is faster than numpy.
_NUMBERS = {np.dtype(code): np.dtype(code).str for code in "?bBhHiIlLqQefdFD"}
_SMALL = 4096  # bytes; copying fewer is faster than creating a buffer
# What the data of a complex number may be, besides text. The text of a container is never a number.
_NUMBER_TYPES = (int, float, complex, np.number, np.bool_)


def encode(obj: Any) -> Any:
    """The map that represents an array, a numpy scalar or a complex number; anything else unchanged.

    An array of a subclass of ndarray becomes a plain array, and structures lose the gaps between their fields. Warns of
    arrays of Python objects, which are stored as pickles.

    Raises:
        TypeError: an array or a numpy scalar could not be read back: it is masked, its dtype is not one of the format
            or contains Python objects, or it has no elements and more than 2**26 rows.
    """
    if type(obj) is np.ndarray:
        descr = _NUMBERS.get(obj.dtype)
        if descr is not None:
            data = obj.tobytes() if 0 < obj.nbytes <= _SMALL else _array_data(obj)
            return {b"nd": True, b"type": descr, b"kind": b"", b"shape": obj.shape, b"data": data}
    if isinstance(obj, np.ndarray):
        return _encode_array(obj)
    if isinstance(obj, (np.bool_, np.number)):
        descr = _NUMBERS.get(obj.dtype) or stored_form(obj.dtype)[1]
        return {b"nd": False, b"type": descr, b"data": obj.data}
    if isinstance(obj, complex):
        return {b"complex": True, b"data": repr(obj)}
    if isinstance(obj, np.generic) and not isinstance(obj, (str, bytes)):
        stored_form(obj.dtype)
        raise TypeError(
            f"can not pack a numpy scalar of dtype {obj.dtype}: only bool, int, float and complex are scalars in the "
            "format; store np.asarray(value)"
        )
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
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            "can not pack a masked array: its mask would be lost; store array.filled(value), or "
            "array.data and np.ma.getmaskarray(array) as two fields"
        )
    if array.dtype.kind == "O":
        warnings.warn(
            "an array of Python objects is stored as a pickle, which readers refuse without allow_pickle=True; "
            "store array.tolist(), or convert it to another dtype",
            stacklevel=level_of_caller(),
        )
        descr: Any = array.dtype.descr
        return {b"nd": True, b"type": descr, b"kind": b"O", b"shape": array.shape, b"data": array.dumps()}
    dtype, descr = stored_form(array.dtype)
    if dtype != array.dtype:
        array = array.astype(dtype)
    kind = b"" if isinstance(descr, str) else b"V"
    return {b"nd": True, b"type": descr, b"kind": kind, b"shape": array.shape, b"data": _array_data(array)}


def _array_data(array: np.ndarray[Any, Any]) -> Any:
    if array.nbytes == 0:
        check_countable(array.shape, array.dtype)
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
    dtype = parse_dtype(descr)
    shape = parse_shape(shape)
    with _view(data) as view:
        size = view.nbytes
    if math.prod(shape) * dtype.itemsize > size:
        raise CorruptSampleError(f"an array of shape {shape} and dtype {dtype} does not fit its {size} bytes")
    try:
        check_countable(shape, dtype)
    except TypeError as error:
        raise CorruptSampleError(str(error)) from None
    try:
        return np.ndarray(buffer=data, dtype=dtype, shape=shape)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise CorruptSampleError(f"not an array of shape {shape} and dtype {dtype}: {error}") from error


def _decode_scalar(obj: dict[Any, Any]) -> Any:
    try:
        descr, data = obj[b"type"], obj[b"data"]
    except KeyError:
        return obj
    dtype = parse_dtype(descr)
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
    if isinstance(data, np.ndarray) and data.ndim == 0:
        data = data[()]
    try:
        if isinstance(data, _NUMBER_TYPES):
            data = str(data)
        return complex(data.decode() if isinstance(data, bytes) else data)
    except (ValueError, TypeError) as error:
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
