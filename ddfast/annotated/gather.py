"""Rows of tables in another order, with memory for one copy of the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Rows = npt.NDArray[np.int64]


def spread(starts: Rows, counts: Rows) -> Rows:
    """The numbers from each start on, ``counts`` of them, one after the other; int64."""
    if not len(counts):
        return np.empty(0, np.int64)
    ends = np.cumsum(counts)
    found: Rows = np.arange(ends[-1], dtype=np.int64)
    found += np.repeat(starts - (ends - counts), counts)
    return found


def take_rows(table: pa.Table, rows: Rows) -> pa.Table:
    """Some rows of a table, in the order given; each at most once."""
    import pyarrow as pa

    return pa.Table.from_arrays([take_column(column, rows) for column in table.columns], schema=table.schema)


def take_column(column: pa.ChunkedArray, rows: Rows) -> pa.Array:
    """Some rows of a column, in the order given; each at most once."""
    import pyarrow as pa

    plain = pa.types.is_list(column.type) and pa.types.is_primitive(column.type.value_type)
    return _take_lists(column, rows) if plain else column.combine_chunks().take(rows)


def list_lengths(column: pa.ChunkedArray) -> Rows:
    """Number of values of each list, 0 for null."""
    found = [chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(found).astype(np.int64) if found else np.empty(0, np.int64)


def _take_lists(column: pa.ChunkedArray, rows: Rows) -> pa.Array:
    """Lists of numbers: each chunk is copied to the places of its rows, without a copy of the whole in between."""
    import pyarrow as pa

    counts = list_lengths(column)
    missing = column.is_null().to_numpy()[rows] if column.null_count else None
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(counts[rows], out=offsets[1:])
    place = np.full(len(counts), -1, np.int64)  # in the result, of the first value of each row
    place[rows] = offsets[:-1]
    values = np.empty(offsets[-1], column.type.value_type.to_pandas_dtype())
    first = 0
    for chunk in column.chunks:
        own = slice(first, first + len(chunk))
        _scatter(chunk.flatten().to_numpy(zero_copy_only=False), counts[own], place[own], values)
        first += len(chunk)
    mask = None if missing is None or not missing.any() else pa.array(missing)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), type=column.type, mask=mask)


def _scatter(source: Any, counts: Rows, place: Rows, target: Any) -> None:
    """Copy lists that follow each other in ``source`` to their places in ``target``; those at -1 are left out."""
    starts = np.cumsum(counts) - counts
    kept = place >= 0
    if not kept.all():
        source = source[np.repeat(kept, counts)]
        counts, place = counts[kept], place[kept]
        starts = np.cumsum(counts) - counts
    positions = np.arange(len(source), dtype=np.int64)
    positions += np.repeat(place - starts, counts)
    target[positions] = source
