"""Columns of a batch handed to pyarrow and torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast._native.columns import BytesColumn, StrColumn, Table

if TYPE_CHECKING:
    import pyarrow as pa


def as_tensor(column: Any) -> Any:
    """A tensor over the memory of an array column; any other column as it is."""
    import torch

    if not isinstance(column, np.ndarray):
        return column
    if not column.dtype.isnative:
        column = column.astype(column.dtype.newbyteorder("="))
    if any(stride < 0 for stride in column.strides):
        column = column.copy()
    try:
        return torch.from_numpy(column)
    except TypeError:  # a dtype that this torch does not have
        return column


def record_batch(
    table: Table, numbers: Mapping[Any, int], columns: Mapping[Any, Any], rows: range
) -> pa.RecordBatch:
    """Columns as an Arrow record batch.

    Parameters:
        table: where the columns come from.
        numbers: column of the table by name.
        columns: the values of ``rows`` by name.
        rows: the samples of the table to take.

    Raises:
        TypeError: a column has no Arrow form.
    """
    import pyarrow as pa

    arrays = []
    for name, column in columns.items():
        if not isinstance(name, str):
            raise TypeError(
                f"column {name!r} has no Arrow form: Arrow's names are strings; leave it out with columns=..."
            )
        try:
            arrays.append(_array(table, numbers[name], column, rows))
        except (pa.ArrowException, TypeError) as error:
            raise TypeError(
                f"column {name!r} has no Arrow form ({error}); leave it out with columns=..."
            ) from error
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _array(table: Table, number: int, column: Any, rows: range) -> pa.Array:
    import pyarrow as pa

    if isinstance(column, (StrColumn, BytesColumn)):
        return _views(table, number, column, rows)
    if not isinstance(column, np.ndarray):
        return pa.array(column.tolist())
    if not column.dtype.isnative:
        column = column.astype(column.dtype.newbyteorder("="))
    if column.ndim == 1:
        return pa.array(column)
    if column.dtype == np.bool_ or column.size == 0:
        return pa.array(column.tolist(), _nested(column))
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(column))


def _nested(column: np.ndarray[Any, Any]) -> pa.DataType:
    """Lists in lists, for arrays that Arrow has no tensors of."""
    import pyarrow as pa

    item = pa.from_numpy_dtype(column.dtype)
    for _ in column.shape[1:]:
        item = pa.list_(item)
    return item


def _views(table: Table, number: int, column: StrColumn | BytesColumn, rows: range) -> pa.Array:
    import pyarrow as pa

    views, windows = table.view_buffers(number)
    kind = pa.string_view() if isinstance(column, StrColumn) else pa.binary_view()
    buffers = [None, *map(pa.py_buffer, [views, *windows])]
    array = pa.Array.from_buffers(kind, len(table), buffers)
    if rows.step == 1:
        return array[rows.start : rows.stop]
    return array.take(pa.array(rows, pa.int64()))
