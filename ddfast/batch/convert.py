"""Conversion of columns to pyarrow and torch."""

from __future__ import annotations

import math
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
        if not rows:
            return pa.array([], _string_kind(isinstance(column, StrColumn), views))
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
    size = math.prod(column.shape[1:])
    if column.dtype == np.bool_ or size == 0:  # Arrow does not support tensors of these
        return _lists(list(column), (column.dtype, column.ndim - 1))
    if not rows:
        kind = pa.fixed_shape_tensor(pa.from_numpy_dtype(column.dtype), column.shape[1:])
        return pa.ExtensionArray.from_storage(kind, pa.array([], kind.storage_type))
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(column))


def _lists(arrays: list[np.ndarray[Any, Any]], form: tuple[np.dtype[Any], int] | None = None) -> pa.Array:
    """Arrays of one dtype and number of dimensions, which are `form` if there are no arrays, as nested lists."""
    import pyarrow as pa

    check_rows(arrays)
    forms = {(array.dtype.newbyteorder("="), array.ndim) for array in arrays}
    if len(forms) > 1:
        raise TypeError(f"its arrays have {len(forms)} combinations of dtype and number of dimensions")
    if forms:
        form = forms.pop()
    if form is None:
        return pa.nulls(0)
    kind = pa.from_numpy_dtype(form[0])
    for _ in range(form[1]):
        kind = pa.list_(kind)
    return pa.array([array.tolist() for array in arrays], kind)


def _string_kind(is_str: bool, views: bool) -> pa.DataType:
    import pyarrow as pa

    if views:
        return pa.string_view() if is_str else pa.binary_view()
    return pa.string() if is_str else pa.binary()


def _strings(table: Table, number: int, is_str: bool, rows: range) -> pa.Array:
    """Copies of str or bytes values."""
    import pyarrow as pa

    data, offsets = table.join_values(number, rows)
    if len(data) < LARGE:
        kind = _string_kind(is_str, False)
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
    kind = _string_kind(is_str, True)
    return pa.Array.from_buffers(kind, len(rows), [None, *map(pa.py_buffer, [views, *windows])])
