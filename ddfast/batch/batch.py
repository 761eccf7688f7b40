"""A batch: samples in order, and the same samples as typed columns.

The kind of a column
--------------------

A column holds one field across all samples of a batch. Its kind follows from the values alone, by this rule:

========================================  ===========  ==================================================
values                                    kind         ``batch[name]``
========================================  ===========  ==================================================
int, all fit int64                        int64        array of shape ``(n,)``
int, some above int64, none negative      uint64       array of shape ``(n,)``
float                                     float64      array of shape ``(n,)``
float and int, every int exact as float   float64      array of shape ``(n,)``
bool                                      bool         array of shape ``(n,)``
complex                                   complex128   array of shape ``(n,)``
str                                       str          `StrColumn`
bytes                                     bytes        `BytesColumn` of read-only memoryviews, zero-copy
arrays of one dtype and shape             array        array of shape ``(n, *shape)``
numpy scalars of one dtype                array        array of shape ``(n,)``
arrays of different dtypes or shapes      arrays       `ViewsColumn` of read-only arrays, zero-copy
anything else, and any mix not listed     object       `ObjectColumn`, decoded when asked for
========================================  ===========  ==================================================

A field that is missing or None in some sample makes an object column with None there. Object columns are
also: str or bytes values of 2 GiB and more; arrays and numpy scalars whose dtype is not bool, int, uint,
float (to 64 bits) or complex (to 128 bits), or that have over 31 dimensions; a field that some sample has
twice (the last value counts); and fields whose name is not a str. A sample that is no map has no fields.
Where some sample has a field named ``b"nd"`` or ``b"complex"``, with which arrays and complex numbers are
marked, all columns are object columns.

Arrays of kinds other than ``arrays`` are private to the batch and may be written to. Every array and view
keeps the memory of the batches that were read together alive; `Batch.copy` frees a few samples from the many.
"""

from __future__ import annotations

import difflib
import html
import operator
from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from ddfast._native.arena import Pool
from ddfast._native.columns import (
    BytesColumn,
    Column,
    ObjectColumn,
    StrColumn,
    Table,
    ViewsColumn,
    build_table,
)
from ddfast._native.decode import Decoder
from ddfast.errors import ColumnNameError, CorruptSampleError, DdfastError, KernelError, PickleRefusedError

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Buffer

__all__ = ["Batch", "BytesColumn", "Column", "ObjectColumn", "Origin", "StrColumn", "ViewsColumn"]

Values = npt.NDArray[Any] | Column[Any]
Indices = npt.NDArray[np.int64]


SHOWN_COLUMNS = 12  # in the repr of a batch


class Origin(Protocol):
    """The dataset that a batch came from, as far as a batch needs it. It must not refer to the batch."""

    @property
    def decoder(self) -> Decoder:
        """What turns packed samples into objects."""

    def keys_of(self, indices: Indices) -> list[str]:
        """The keys of these samples."""

    def explain(self, error: KernelError | PickleRefusedError, index: int) -> Exception:
        """What to raise when the sample at ``index`` of the dataset does not decode."""


class Batch(Sequence[Any]):
    """Samples in order, and a table of their fields.

    ``batch[3]``, ``batch[-1]`` and iteration give samples as plain dicts, exactly what `MsgpackReader`
    yields. ``batch[2:9]`` is a batch of these samples over the same memory. ``batch["label"]`` is a column;
    the module's documentation states which kind it has, decided over all samples that were delivered
    together. Nothing is decoded before it is asked for; columns are kept, samples are decoded each time.

    Fields named by an int, which would be a position, are found in `to_dict`.

    A raw batch has no columns, and its samples are memoryviews of packed messages.

    Parameters:
        table: the packed samples.
        indices: where in the dataset each sample is; int64, shape ``(len(table),)``.
        origin: the dataset.
    """

    __slots__ = (
        "__weakref__",
        "_columns",
        "_indices",
        "_keys",
        "_names",
        "_origin",
        "_rows",
        "_table",
        "_whole",
    )

    def __init__(self, table: Table, indices: Indices, origin: Origin) -> None:
        self._table = table
        self._indices = indices
        self._origin = origin
        self._whole: Batch | None = None  # what this one is a slice of
        self._rows = range(len(table))
        self._names: dict[Any, int] | None = None
        self._columns: dict[Any, Values] = {}
        self._keys: list[str] | None = None

    @classmethod
    def empty(cls, origin: Origin) -> Batch:
        """A batch without samples."""
        return cls(build_table([]), np.empty(0, np.int64), origin)

    @classmethod
    def of(
        cls,
        samples: Sequence[Buffer],
        indices: Indices,
        origin: Origin,
        *,
        columns: Sequence[str] | None = None,
        raw: bool = False,
        pool: Pool | None = None,
    ) -> Batch:
        """A batch of copies of packed samples.

        Parameters:
            samples: one msgpack message each.
            indices: where in the dataset each of them is; int64, shape ``(len(samples),)``.
            origin: the dataset.
            columns: names of the columns to make; None for all.
            raw: make no columns, and give packed samples.
            pool: where the memory comes from, and goes when the batch does; None for fresh memory.

        Raises:
            CorruptSampleError, or what `origin` makes of it: a sample is no well-formed message.
        """
        try:
            return cls(build_table(samples, columns, pool, raw=raw), indices, origin)
        except KernelError as error:
            raise origin.explain(error, int(indices[error.item])) from error

    # -- samples

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._rows)

    @overload
    def __getitem__(self, item: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, item: slice) -> Batch: ...
    @overload
    def __getitem__(self, item: Hashable) -> Any: ...
    def __getitem__(self, item: Any) -> Any:
        """A column by name, a sample by position, or a batch of some of the samples.

        Raises:
            ColumnNameError: no sample has such a field; also a `KeyError`.
            IndexError: the batch has no such position.
            CorruptSampleError: the sample's bytes are damaged.
        """
        if isinstance(item, str):
            return self._column(item)
        if isinstance(item, slice):
            return self._part(self._rows[item])
        try:
            position = operator.index(item)
        except TypeError:
            return self._column(item)
        if not -len(self) <= position < len(self):
            raise IndexError(f"sample {position} of a batch of {len(self)}")
        return self._sample(self._rows[position])

    def __iter__(self) -> Iterator[Any]:
        """The samples, one after the other."""
        return map(self._table.packed if self._table.raw else self._decoded, self._rows)

    def __contains__(self, name: object) -> bool:
        """Whether ``batch[name]`` is a column."""
        return name in self._column_numbers()

    def raw(self, position: int) -> memoryview:
        """The packed sample at ``position``, in place; ``bytes(batch.raw(i))`` is a copy."""
        return self._table.packed(self._rows[position])

    def joined(self) -> tuple[Buffer, npt.NDArray[np.uint64]]:
        """The packed samples one after the other, in read-only memory, and where each of them ends.

        The memory is that of the batch where the samples lie so in it, as those that were read in the order of
        the file mostly do, and a copy otherwise. The ends are uint64, shape ``(len(batch),)``.
        """
        return self._table.joined(self._rows)

    def decode(self, position: int) -> Any:
        """The sample at ``position``, decoded, whether the batch is raw or not."""
        return self._decoded(self._rows[position])

    def run(self, position: int, room: int, *, raw: bool = False) -> list[Any]:
        """The samples from `position` on that take `room` bytes packed, at least one if there is one left.

        Parameters:
            raw: give copies of the packed samples.

        Raises:
            CorruptSampleError: the first sample is damaged. One that comes later ends the run.
        """
        rows = self._rows[position:]
        if len(rows) < 2 or rows.step != 1:
            rows = rows[:1]
            return [self._table.packed_bytes(row) if raw else self._decoded(row) for row in rows]
        if raw:
            return self._table.packed_run(rows.start, rows.stop, room)
        try:
            return self._table.decode_run(rows.start, rows.stop, room, self._origin.decoder)
        except (KernelError, PickleRefusedError) as error:
            raise self._explained(error, rows.start) from error

    @property
    def indices(self) -> Indices:
        """Where in the dataset each sample is; int64, shape ``(len(batch),)``."""
        return self._indices

    @property
    def keys(self) -> list[str]:
        """The keys of the samples, looked up when first asked for."""
        if self._keys is None:
            self._keys = self._origin.keys_of(self._indices)
        return self._keys

    @property
    def nbytes(self) -> int:
        """Bytes of the packed samples."""
        if self._whole is None:
            return self._table.nbytes
        return sum(len(self._table.packed(row)) for row in self._rows)

    def copy(self) -> Batch:
        """The same samples in memory of their own. Kinds of columns are decided anew."""
        samples = [self._table.packed(row) for row in self._rows]
        table = build_table(samples, self._selection(), raw=self._table.raw)
        return Batch(table, self._indices.copy(), self._origin)

    def __reduce__(self) -> tuple[Any, ...]:
        samples = [self._table.packed_bytes(row) for row in self._rows]
        try:
            keys = self.keys
        except (DdfastError, OSError):
            keys = None
        origin = _Detached(keys, self._indices, self._origin.decoder.allow_pickle)
        return _restore, (samples, self._selection(), self._table.raw, np.array(self._indices), origin)

    # -- columns

    @property
    def columns(self) -> tuple[Any, ...]:
        """Names of the columns, in order of first appearance, or of selection."""
        return tuple(self._column_numbers())

    def to_dict(self) -> dict[Any, Values]:
        """All columns by name."""
        return {name: self._column(name) for name in self.columns}

    def to_torch(self) -> dict[Any, Any]:
        """All columns by name, those that are arrays as tensors over the same memory.

        Arrays in foreign byte order are copied; an array whose dtype torch does not have stays what it is.
        """
        from ddfast.batch.convert import as_tensor

        return {name: as_tensor(column) for name, column in self.to_dict().items()}

    def to_arrow(self) -> pa.RecordBatch:
        """A record batch of all columns; numbers, str, bytes and stacked arrays share the batch's memory.

        str and bytes become ``string_view`` and ``binary_view``, stacked arrays fixed-shape tensors, and of
        object columns pyarrow finds out the type.

        Raises:
            TypeError: a column has no Arrow form; the message names it.
            ImportError: pyarrow is not installed.
        """
        from ddfast.batch.convert import record_batch

        return record_batch(self._table, self._column_numbers(), self.to_dict(), self._rows)

    def _column_numbers(self) -> dict[Any, int]:
        """Column of the table by name; -1 for those that only decoding finds."""
        if self._whole is not None:
            return self._whole._column_numbers()
        if self._names is None:
            self._names = {name: i for i, name in enumerate(self._table.names)}
            if self._table.reserved or self._table.odd_names:
                self._names = self._decoded_columns(self._names)
        return self._names

    def _decoded_columns(self, names: dict[Any, int]) -> dict[Any, int]:
        """Make the columns that the table cannot have, from decoded samples."""
        samples = [sample if isinstance(sample, dict) else {} for sample in self]
        found = dict.fromkeys(name for sample in samples for name in sample)
        if self._table.selected:
            found = {name: None for name in names if name in found}
        decoded = [name for name in found if self._table.reserved or name not in names]
        for name in decoded:
            values = [sample.get(name) for sample in samples]
            self._columns[name] = ObjectColumn(len(values), values.__getitem__)
        return {name: -1 if name in self._columns else names[name] for name in found}

    def _column(self, name: Any) -> Values:
        if name in self._columns:
            return self._columns[name]
        if self._whole is not None:
            column = self._whole._column(name)[_slice_of(self._rows)]
        else:
            column = self._new_column(name)
        self._columns[name] = column
        return column

    def _new_column(self, name: Any) -> Values:
        number = self._column_numbers().get(name)
        if number is None:
            raise ColumnNameError(self._no_column(name))
        if number < 0:
            return self._columns[name]
        column = self._table.column(number)
        if column is not None:
            return column
        values = ObjectColumn(len(self), partial(_value, self._table, self._origin, self._indices, number))
        if self._table.describe(number)[0] == "complex128":
            return np.array(values.tolist(), dtype=np.complex128)
        return values

    def _no_column(self, name: Any) -> str:
        if self._table.raw:
            return f"no column {name!r}: this batch is raw, read it without raw=True to have columns"
        names = [str(known) for known in self.columns]
        others = [field for field in self._fields_of_first() if field not in names]
        close = difflib.get_close_matches(str(name), [*names, *others], n=1)
        hint = f"; did you mean {close[0]!r}?" if close and close[0] != name else "."
        left_out = f" (columns=... left out {', '.join(others)})" if others else ""
        return f"no column {name!r}{hint} The columns are: {', '.join(names) or 'none'}{left_out}"

    def _fields_of_first(self) -> list[str]:
        """The fields of one sample, for a message; none where it cannot be decoded."""
        try:
            return [str(field) for field in self._decoded(0)] if len(self) else []
        except (DdfastError, TypeError):
            return []

    # -- the rest

    def _sample(self, row: int) -> Any:
        return self._table.packed(row) if self._table.raw else self._decoded(row)

    def _decoded(self, row: int) -> Any:
        try:
            return self._table.decode(row, self._origin.decoder)
        except (KernelError, PickleRefusedError) as error:
            raise self._explained(error, row) from error

    def _explained(self, error: KernelError | PickleRefusedError, row: int) -> Exception:
        whole = self if self._whole is None else self._whole
        return self._origin.explain(error, int(whole._indices[row]))

    def _part(self, rows: range) -> Batch:
        whole = self if self._whole is None else self._whole
        part = Batch(self._table, whole._indices[_slice_of(rows)], self._origin)
        part._whole = whole
        part._rows = rows
        return part

    def _selection(self) -> list[str] | None:
        return self._table.names if self._table.selected else None

    def _kind(self, name: Any) -> str:
        number = self._column_numbers()[name]
        kind, dtype, shape = ("object", None, ()) if number < 0 else self._table.describe(number)
        return f"{dtype}{list(shape) or ''}" if kind == "array" else kind

    def __repr__(self) -> str:
        if self._table.raw:
            return f"Batch({len(self)} raw samples, {self.nbytes:,} bytes)"
        names = self.columns
        shown = [f"{name} {self._kind(name)}" for name in names[:SHOWN_COLUMNS]]
        if len(names) > SHOWN_COLUMNS:
            shown.append(f"{len(names) - SHOWN_COLUMNS} more")
        return f"Batch({len(self)} samples: {', '.join(shown) or 'no columns'})"

    def _repr_html_(self) -> str:
        """Columns, their kinds and first values, for notebooks."""
        rows = (
            (name, self._kind(name), ", ".join(repr(value)[:40] for value in self[:3]._column(name)))
            for name in self.columns
        )
        cells = "".join(f"<tr>{''.join(f'<td>{html.escape(str(c))}</td>' for c in row)}</tr>" for row in rows)
        head = "<tr><th>column</th><th>kind</th><th>first values</th></tr>"
        return f"<p>{len(self)} samples, {self.nbytes:,} bytes</p><table>{head}{cells}</table>"


def _value(table: Table, origin: Origin, indices: Indices, column: int, row: int) -> Any:
    try:
        return table.decode_value(column, row, origin.decoder)
    except (KernelError, PickleRefusedError) as error:
        raise origin.explain(error, int(indices[row])) from error


def _slice_of(rows: range) -> slice:
    """The slice that picks these rows; a range that runs down to 0 has no stop that a slice could name."""
    return slice(rows.start, rows.stop if rows.stop >= 0 else None, rows.step)


class _Detached:
    """What is left of a batch's origin in another process."""

    def __init__(self, keys: list[str] | None, indices: Indices, allow_pickle: bool) -> None:
        self._keys = keys
        self._indices = indices
        self._allow_pickle = allow_pickle
        self.decoder = Decoder(allow_pickle=allow_pickle)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Detached, (self._keys, np.array(self._indices), self._allow_pickle)

    def keys_of(self, indices: Indices) -> list[str]:
        if self._keys is None:
            raise DdfastError("this batch was pickled by a process that could not read its keys")
        keys = dict(zip(self._indices.tolist(), self._keys, strict=True))
        return [keys[index] for index in indices.tolist()]

    def explain(self, error: KernelError | PickleRefusedError, index: int) -> Exception:
        if isinstance(error, PickleRefusedError):
            return PickleRefusedError(f"sample {index}: {error}")
        return CorruptSampleError(f"sample {index} is damaged at byte {error.pos}: {error.reason}")


def _restore(
    samples: Sequence[bytes], names: list[str] | None, raw: bool, indices: Indices, origin: Origin
) -> Batch:
    return Batch(build_table(samples, names, raw=raw), indices, origin)
