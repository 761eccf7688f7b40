"""Batches: samples in order, with a table of their fields."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from ddfast._native.arena import Pool
from ddfast._native.columns import Column, ObjectColumn, Table, build_table
from ddfast._native.status import E_FIELDS
from ddfast._util.brief import brief, shortened
from ddfast.batch.empty import OBJECT, ColumnKind, empty_column, similar_name
from ddfast.batch.origin import DetachedOrigin, Origin
from ddfast.batch.show import batch_html, batch_text, too_many_fields
from ddfast.errors import ColumnNameError, DdfastError, KernelError, PickleRefusedError

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Buffer

__all__ = ["Batch"]

Values = npt.NDArray[Any] | Column[Any]
Indices = npt.NDArray[np.int64]

LISTED = 1000  # characters of names of columns in an error


class Batch(Sequence[Any]):
    """Samples in order, and a table of their fields.

    ``batch[3]``, ``batch[-1]`` and iteration give samples as plain dicts, exactly what `MsgpackReader`
    yields. ``batch[2:9]`` is a batch of these samples over the same memory. ``batch["label"]`` is a column;
    its kind, which the documentation of `ddfast.batch` describes, depends on all samples that were delivered together.
    Samples and columns are decoded on access; columns are kept, samples are decoded each time.

    Use `to_dict` for fields whose name is an int, because ``batch[3]`` is a sample.

    A raw batch has no columns, and its samples are memoryviews of packed messages.

    Parameters:
        table: the packed samples.
        indices: index of each sample in the dataset; int64, shape ``(len(table),)``.
        origin: the dataset.
    """

    __slots__ = (
        "__weakref__",
        "_columns",
        "_indices",
        "_keys",
        "_kinds",
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
        self._whole: Batch | None = None  # the batch of which this one is a slice
        self._rows = range(len(table))
        self._names: dict[Any, int] | None = None
        self._kinds: dict[Any, ColumnKind] | None = None  # of a batch without samples
        self._columns: dict[Any, Values] = {}
        self._keys: list[str] | None = None

    @classmethod
    def empty(cls, origin: Origin, kinds: Mapping[Any, ColumnKind] | None = None, raw: bool = False) -> Batch:
        """A batch without samples.

        Parameters:
            origin: the dataset.
            kinds: its columns; None for no columns.
            raw: see `Batch`.
        """
        batch = cls(build_table([], raw=raw), np.empty(0, np.int64), origin)
        batch._kinds = {} if kinds is None or raw else dict(kinds)
        batch._names = dict.fromkeys(batch._kinds, -1)
        batch._columns = {name: empty_column(kind) for name, kind in batch._kinds.items()}
        return batch

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
            indices: index of each sample in the dataset; int64, shape ``(len(samples),)``.
            origin: the dataset.
            columns: names of the columns to build; None for all.
            raw: build no columns; samples stay packed.
            pool: reuse memory of this pool, to which it returns with the batch; None allocates memory.

        Raises:
            CorruptSampleError, or the error that `origin` explains it by: a sample is not a valid message.
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
            IndexError: the position is out of range.
            CorruptSampleError: the sample's bytes are damaged.
        """
        if isinstance(item, str):
            return self._column(item)
        if isinstance(item, slice):
            return self._sliced(self._rows[item])
        try:
            position = operator.index(item)
        except TypeError:
            return self._column(item)
        if not -len(self) <= position < len(self):
            raise IndexError(f"sample {position} out of range for a batch of {len(self)}")
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
        """The concatenated packed samples, in read-only memory, and the position of the end of each.

        This is the memory of the batch if the samples are adjacent in it, as they mostly are when they were read in
        file order, and a copy otherwise. The ends are uint64, shape ``(len(batch),)``.
        """
        return self._table.joined(self._rows)

    def decode(self, position: int) -> Any:
        """The sample at ``position``, decoded, whether the batch is raw or not."""
        return self._decoded(self._rows[position])

    def run(self, position: int, room: int, *, raw: bool = False) -> list[Any]:
        """The samples from `position` on whose packed size is at most `room` bytes, but at least one if any is left.

        Parameters:
            position: of the first sample.
            room: bytes.
            raw: return copies of the packed samples.

        Raises:
            CorruptSampleError: the first sample is damaged. A damaged sample after it ends the run.
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
        """Index of each sample in the dataset; int64, shape ``(len(batch),)``."""
        return self._indices

    @property
    def keys(self) -> list[str]:
        """The keys of the samples, which are read on first access."""
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
        """The same samples in their own memory. The kinds of columns are determined again, if there are samples."""
        if not self._rows:
            return Batch.empty(self._origin, self._column_kinds(), self._table.raw)
        samples = [self._table.packed(row) for row in self._rows]
        table = build_table(samples, self._selection(), raw=self._table.raw)
        return Batch(table, self._indices.copy(), self._origin)

    def __reduce__(self) -> tuple[Any, ...]:
        samples = [self._table.packed_bytes(row) for row in self._rows]
        try:
            keys = self.keys
        except (DdfastError, OSError):
            keys = None
        origin = DetachedOrigin(keys, self._indices, self._origin.decoder.allow_pickle)
        if not samples:
            return Batch.empty, (origin, self._column_kinds(), self._table.raw)
        return _restore, (samples, self._selection(), self._table.raw, np.array(self._indices), origin)

    # -- columns

    @property
    def columns(self) -> tuple[Any, ...]:
        """Names of the columns, in order of first appearance, or of selection."""
        return tuple(self._column_numbers())

    def targets(self, task: str) -> Any:
        """What training wants from samples of an annotated dataset: boxes and labels, masks, keypoints, captions.

        `ddfast.annotated.batch_targets` lists the tasks, and describes their targets and errors.
        """
        # Imported by name: batches do not depend on annotated datasets.
        return import_module("ddfast.annotated.targets").batch_targets(self, task)

    def to_dict(self) -> dict[Any, Values]:
        """All columns by name."""
        return {name: self._column(name) for name in self.columns}

    def to_torch(self) -> dict[Any, Any]:
        """All columns by name; arrays are tensors that share the memory.

        Arrays in foreign byte order are copied; arrays of a dtype that torch does not support stay arrays.
        """
        from ddfast.batch.convert import as_tensor

        return {name: as_tensor(column) for name, column in self.to_dict().items()}

    def to_arrow(self, *, views: bool = False) -> pa.RecordBatch:
        """A record batch of all columns; numbers and stacked arrays share the memory of the batch.

        str and bytes become ``string`` and ``binary`` (``large_string`` and ``large_binary`` from 2 GiB on), stacked
        arrays become fixed-shape tensors, and pyarrow infers the type of object columns.

        Parameters:
            views: make ``string_view`` and ``binary_view`` of str and bytes, which share the memory of the batch too.
                Many functions of pyarrow do not support these types.

        Raises:
            TypeError: a column cannot be converted, or its nested values would take much more memory than they do
                here; the message names the column.
            ImportError: pyarrow is not installed.
        """
        from ddfast.batch.convert import record_batch

        return record_batch(self._table, self._column_numbers(), self.to_dict(), self._rows, views)

    def _column_numbers(self) -> dict[Any, int]:
        """Number of the table's column by name; -1 for columns of decoded values."""
        if self._whole is not None:
            return self._whole._column_numbers()
        if self._names is None:
            if self._table.crowded:
                error = KernelError(E_FIELDS, too_many_fields(len(self)), 0, 0)
                raise self._origin.explain(error, int(self._indices[0]))
            self._names = {name: i for i, name in enumerate(self._table.names)}
            if self._table.reserved or self._table.odd_names:
                self._names = self._decoded_columns(self._names)
        return self._names

    def _decoded_columns(self, names: dict[Any, int]) -> dict[Any, int]:
        """Add the columns that the table does not support, from decoded samples."""
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
            return f"no column {brief(name)}: a raw batch has no columns; read it without raw=True"
        names = [str(known) for known in self.columns]
        others = [field for field in self.fields_of_first() if field not in names]
        hint = similar_name(name, [*names, *others])
        left_out = f" (columns=... left out {shortened(', '.join(others), LISTED)})" if others else ""
        listed = shortened(", ".join(names), LISTED) or "none"
        return f"no column {brief(name)}{hint} The columns are: {listed}{left_out}"

    def fields_of_first(self) -> list[str]:
        """The fields of the first sample, for messages; none if it cannot be decoded."""
        try:
            return [str(field) for field in self._decoded(0)] if len(self) else []
        except (DdfastError, TypeError):
            return []

    # -- helpers

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

    def _sliced(self, rows: range) -> Batch:
        whole = self if self._whole is None else self._whole
        batch = Batch(self._table, whole._indices[_slice_of(rows)], self._origin)
        batch._whole = whole
        batch._rows = rows
        return batch

    def _selection(self) -> list[str] | None:
        return self._table.names if self._table.selected else None

    def _column_kinds(self) -> dict[Any, ColumnKind]:
        """The kinds of all columns; none if there are too many."""
        if self._table.crowded:
            return {}
        whole = self if self._whole is None else self._whole
        empty = whole._kinds or {}
        numbers = self._column_numbers()
        return {n: empty.get(n, OBJECT) if i < 0 else self._table.describe(i) for n, i in numbers.items()}

    def known_kinds(self) -> dict[str, ColumnKind]:
        """The kinds of the columns that are known without decoding samples."""
        return {name: self._table.describe(i) for i, name in enumerate(self._table.names)}

    def __repr__(self) -> str:
        if self._table.raw:
            return f"Batch({len(self)} raw samples, {self.nbytes:,} bytes)"
        if self._table.crowded:
            return f"Batch({len(self)} samples: too many columns)"
        return batch_text(len(self), self._column_kinds())

    def _repr_html_(self) -> str:
        return batch_html(len(self), self.nbytes, self._column_kinds(), self[:3]._column)


def _value(table: Table, origin: Origin, indices: Indices, column: int, row: int) -> Any:
    try:
        return table.decode_value(column, row, origin.decoder)
    except (KernelError, PickleRefusedError) as error:
        raise origin.explain(error, int(indices[row])) from error


def _slice_of(rows: range) -> slice:
    """The slice that selects these rows; a descending range to 0 needs None as stop."""
    return slice(rows.start, rows.stop if rows.stop >= 0 else None, rows.step)


def _restore(
    samples: Sequence[bytes], names: list[str] | None, raw: bool, indices: Indices, origin: Origin
) -> Batch:
    return Batch(build_table(samples, names, raw=raw), indices, origin)
