"""Matlab files. Needs scipy."""

from __future__ import annotations

import io
import os
from collections.abc import Container, Iterator
from typing import IO, Any

import numpy as np

from ddfast.errors import MissingPackageError


def loadmat(mat: str | os.PathLike[str] | IO[bytes] | bytes | bytearray | memoryview) -> dict[str, Any]:
    """The variables in a Matlab file, by name.

    Parameters:
        mat: path of the file, the open file, or its content.

    Raises:
        MissingPackageError: scipy is not installed.
    """
    try:
        import scipy.io
    except ImportError as error:
        raise MissingPackageError("Reading Matlab files needs scipy: pip install ddfast[matlab]") from error
    if isinstance(mat, (bytes, bytearray, memoryview)):
        source: Any = io.BytesIO(mat)
    else:
        # scipy does not raise FileNotFoundError for paths that are not strings.
        source = os.fspath(mat) if isinstance(mat, os.PathLike) else mat
    variables: dict[str, Any] = scipy.io.loadmat(source)
    return variables


def iter_fields(arr: np.ndarray | np.void, ignore: Container[str] = ()) -> Iterator[tuple[str, Any]]:
    """Name and values of each field of a structured array, in order.

    Parameters:
        arr: the array.
        ignore: names of fields to skip.

    Raises:
        TypeError: the array is not structured.
    """
    if arr.dtype.fields is None:
        raise TypeError(f"an array of {arr.dtype} has no fields")
    for name in arr.dtype.fields:
        if name not in ignore:
            yield name, arr[name]
