"""Builds a table from chunks of columns, as importers read them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.gather import take_column
from ddfast.annotated.packing import decimals_of, float_values
from ddfast.annotated.schema import DECIMALS, PACKED, annotation_types, item_types
from ddfast.tools.points import pack_points

if TYPE_CHECKING:
    import pyarrow as pa


class TableBuilder:
    """Collects chunks of columns; columns that no chunk has are left out of the table, missing values are null.

    Parameters:
        types: Arrow type of each column.
        packed: columns of float64 that are kept as float32 if that loses nothing.
    """

    def __init__(self, types: dict[str, pa.DataType], packed: Collection[str] = ()) -> None:
        self._types = types
        self._packed = packed
        self._chunks: list[tuple[int, dict[str, pa.Array]]] = []
        self._decimals: dict[str, list[int | None]] = {}  # per chunk that has the column
        self._count = 0

    @classmethod
    def of_items(cls) -> TableBuilder:
        """A builder of the table of items."""
        return cls(item_types())

    @classmethod
    def of_annotations(cls) -> TableBuilder:
        """A builder of the table of annotations."""
        return cls(annotation_types(), PACKED)

    def __len__(self) -> int:
        return self._count

    def add(self, count: int, **columns: Any) -> None:
        """Add rows.

        Parameters:
            count: number of rows.
            columns: by name: an Arrow array, a numpy array or a list of as many values, a `ragged` pair, or one value
                for all rows. None for columns without values.

        Raises:
            KeyError: the table has no column of that name.
            ValueError: a column has another number of values.
        """
        arrays = {}
        for name, values in columns.items():
            if values is None:
                continue
            array = _as_array(values, self._types[name], count)
            if len(array) != count:
                raise ValueError(f"column {name!r} has {len(array)} values for {count} rows")
            if array.null_count == count and count:
                continue
            if name in self._packed:
                array, decimals = _pack(array)
                self._decimals.setdefault(name, []).append(decimals)
            arrays[name] = array
        self._chunks.append((count, arrays))
        self._count += count

    def add_table(self, table: pa.Table) -> None:
        """Add the rows of another table with columns of the same names."""
        for batch in table.to_batches():
            columns = {}
            for field in table.schema:
                values = batch.column(field.name)
                columns[field.name] = (
                    unpacked(values, decimals_of(field)) if field.name in self._packed else values
                )
            self.add(batch.num_rows, **columns)

    def finish(self, rows: npt.NDArray[np.int64] | None = None) -> pa.Table:
        """The table of all rows. The builder is empty afterwards.

        Parameters:
            rows: which to keep, and in which order; None for all. The memory of each column is released when the next
                one is ordered.
        """
        import pyarrow as pa

        chunks, self._chunks, self._count = self._chunks, [], 0
        present = [name for name in self._types if any(name in arrays for _, arrays in chunks)]
        fields, columns = [], []
        for name in present:
            parts = [arrays.pop(name, count) for count, arrays in chunks]
            field = pa.field(name, self._types[name])
            if name in self._packed:
                field, parts = _same_decimals(field, parts, self._decimals.pop(name))
            arrays = [pa.nulls(part, field.type) if isinstance(part, int) else part for part in parts]
            column = pa.chunked_array(arrays, field.type)
            fields.append(field)
            if pa.types.is_dictionary(field.type):
                column = column.unify_dictionaries()
            del parts, arrays
            columns.append(column if rows is None else take_column(column, rows))
            del column
            pa.default_memory_pool().release_unused()
        table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        return table if present else table.select([])


def ragged(values: npt.NDArray[Any], offsets: npt.NDArray[Any], missing: Any = None) -> pa.Array:
    """A column of lists from all values and where the list of each row starts.

    Parameters:
        values: of all lists, one after the other.
        offsets: int, shape ``(rows + 1,)``.
        missing: bool, shape ``(rows,)``: rows that are null; None for none.
    """
    import pyarrow as pa

    starts = np.ascontiguousarray(offsets, np.int32)
    if missing is None or not np.any(missing):
        return pa.ListArray.from_arrays(pa.array(starts), pa.array(values))
    return pa.ListArray.from_arrays(pa.array(starts), pa.array(values), mask=pa.array(missing))


def _as_array(values: Any, kind: pa.DataType, count: int) -> pa.Array:
    """Values as an Arrow array of a type; a single value stands for all rows."""
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, np.ndarray | list):
        values = pa.array(values, None if pa.types.is_dictionary(kind) else kind, from_pandas=False)
    if not isinstance(values, pa.Array):
        scalar = pa.scalar(values, kind.value_type if pa.types.is_dictionary(kind) else kind)
        if pa.types.is_dictionary(kind):
            zeros = pa.array(np.zeros(count, kind.index_type.to_pandas_dtype()))
            return pa.DictionaryArray.from_arrays(zeros, pa.array([scalar.as_py()], kind.value_type))
        return pa.repeat(scalar, count)
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(values.type):
        values = values.cast(kind.value_type).dictionary_encode()
    return values if values.type == kind else values.cast(kind)


def _pack(array: pa.Array) -> tuple[pa.Array, int | None]:
    """An array of float64, or of lists of it, packed if that is exact, and its number of decimals."""
    import pyarrow as pa

    if not isinstance(array, pa.ListArray):
        packed = pack_points(array.fill_null(0.0).to_numpy(zero_copy_only=False))
        if packed is None:
            return array, None
        mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        return pa.array(packed[0], mask=mask), packed[1]
    flat = array.flatten()
    packed = pack_points(flat.to_numpy(zero_copy_only=False)) if not flat.null_count else None
    if packed is None:
        return array, None
    return _with_values(array, pa.array(packed[0])), packed[1]


def _with_values(array: pa.ListArray, values: pa.Array) -> pa.ListArray:
    """The lists of an array with other values in the place of its own."""
    import pyarrow as pa

    offsets = np.zeros(len(array) + 1, np.int32)
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    np.cumsum(lengths, out=offsets[1:])
    mask = array.is_null() if array.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)


def _same_decimals(
    field: pa.Field, parts: list[Any], decimals: list[int | None]
) -> tuple[pa.Field, list[Any]]:
    """All chunks of a column packed with the same number of decimals, or none."""
    import pyarrow as pa

    arrays = [part for part in parts if not isinstance(part, int)]
    known = [place for place in decimals if place is not None]
    places = max(known) if len(known) == len(decimals) else None
    if places is not None and all(
        own == places or _fits(array, own, places) for array, own in zip(arrays, decimals, strict=True)
    ):
        kind = pa.list_(pa.float32()) if pa.types.is_list(field.type) else pa.float32()
        return pa.field(field.name, kind, metadata={DECIMALS: str(places).encode()}), parts
    given = iter(decimals)
    return field, [part if isinstance(part, int) else unpacked(part, next(given)) for part in parts]


def _fits(array: pa.Array, own: int | None, places: int) -> bool:
    """Whether a packed array means the same with another number of decimals."""
    import pyarrow as pa

    flat = array.flatten() if isinstance(array, pa.ListArray) else array.drop_null()
    values = flat.to_numpy(zero_copy_only=False).astype(np.float64)
    return bool(np.array_equal(np.round(values, own or 0), np.round(values, places)))


def unpacked(array: pa.Array, decimals: int | None) -> pa.Array:
    """A packed array as float64; others as they are."""
    import pyarrow as pa

    if decimals is None:
        return array
    field = pa.field("", array.type, metadata={DECIMALS: str(decimals).encode()})
    values = float_values(array, field)
    if isinstance(array, pa.ListArray):
        return _with_values(array, pa.array(values))
    return pa.array(values, mask=array.is_null().to_numpy(zero_copy_only=False))
