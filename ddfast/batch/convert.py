"""Conversion of columns to pyarrow and torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast._native.columns import BytesColumn, StrColumn, Table, ViewsColumn
from ddfast.batch.nested import check_nested, check_rows
from ddfast.errors import DdfastError

if TYPE_CHECKING:
    import pyarrow as pa

LARGE = 1 << 31  # bytes; smaller columns have offsets of 32 bits


def as_tensor(column: Any) -> Any:
    """A tensor that shares the memory of an array column; any other column unchanged."""
    import torch

    if not isinstance(column, np.ndarray):
        return column
    if not column.dtype.isnative:
        column = column.astype(column.dtype.newbyteorder("="))
    if any(stride < 0 for stride in column.strides):
        column = column.copy()
    try:
        return torch.from_numpy(column)
    except TypeError:  # torch does not support the dtype
        return column


def record_batch(
    table: Table, numbers: Mapping[Any, int], columns: Mapping[Any, Any], rows: range, views: bool
) -> pa.RecordBatch:
    """Columns as an Arrow record batch.

    Parameters:
        table: the table with the columns.
        numbers: number of the table's column by name.
        columns: the values of ``rows`` by name.
        rows: the samples of the table to convert.
        views: make views of str and bytes, instead of copies.

    Raises:
        TypeError: a column cannot be converted.
    """
    import pyarrow as pa

    arrays = []
    for name, column in columns.items():
        if not isinstance(name, str):
            raise TypeError(
                f"column {name!r} has no Arrow form: names in Arrow are strings; leave it out with columns=..."
            )
        try:
            arrays.append(_array(table, numbers[name], column, rows, views))
        except (DdfastError, MemoryError):
            raise
        except Exception as error:  # pyarrow raises errors of many types
            raise TypeError(
                f"column {name!r} has no Arrow form ({error}); leave it out with columns=..."
            ) from error
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _array(table: Table, number: int, column: Any, rows: range, views: bool) -> pa.Array:
    import pyarrow as pa

    if isinstance(column, (StrColumn, BytesColumn)):
        return (_views if views else _strings)(table, number, isinstance(column, StrColumn), rows)
    if isinstance(column, ViewsColumn):
        return _lists(column.tolist())
    if not isinstance(column, np.ndarray):
        values = column.tolist()
        check_nested(values)
        return pa.array(values)
    if not column.dtype.isnative:
        column = column.astype(column.dtype.newbyteorder("="))
    if column.ndim == 1:
        return pa.array(column)
    if column.dtype == np.bool_ or column.size == 0:  # Arrow does not support tensors of these
        return _lists(list(column))
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(column))


def _lists(arrays: list[np.ndarray[Any, Any]]) -> pa.Array:
    """Arrays of one dtype and number of dimensions as nested lists."""
    import pyarrow as pa

    check_rows(arrays)
    forms = {(array.dtype.newbyteorder("="), array.ndim) for array in arrays}
    if not forms:
        return pa.nulls(0)
    if len(forms) > 1:
        raise TypeError(f"its arrays have {len(forms)} combinations of dtype and number of dimensions")
    dtype, ndim = forms.pop()
    kind = pa.from_numpy_dtype(dtype)
    for _ in range(ndim):
        kind = pa.list_(kind)
    return pa.array([array.tolist() for array in arrays], kind)


def _strings(table: Table, number: int, is_str: bool, rows: range) -> pa.Array:
    """Copies of str or bytes values."""
    import pyarrow as pa

    data, offsets = table.join_values(number, rows)
    if len(data) < LARGE:
        kind = pa.string() if is_str else pa.binary()
        offsets = offsets.astype(np.int32)
    else:
        kind = pa.large_string() if is_str else pa.large_binary()
    return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _views(table: Table, number: int, is_str: bool, rows: range) -> pa.Array:
    """Views of str or bytes values."""
    import pyarrow as pa

    views, windows = table.view_buffers(number)
    if rows != range(len(table)):
        views = np.frombuffer(views, "V16")[list(rows)].data
    kind = pa.string_view() if is_str else pa.binary_view()
    return pa.Array.from_buffers(kind, len(rows), [None, *map(pa.py_buffer, [views, *windows])])
