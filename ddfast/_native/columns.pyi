from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, SupportsIndex, TypeVar, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer, Self

from ddfast._native.arena import Arena, Pool
from ddfast._native.decode import Decoder

T_co = TypeVar("T_co", covariant=True)

class Table:
    """The packed samples of one batch and the columns found in them; read-only; threads may share it.

    Columns and samples are identified by number. `ddfast.batch` is the public interface, and documents the rule
    for the kind of a column.
    """

    @property
    def arena(self) -> Arena: ...
    def __len__(self) -> int:
        """Number of samples."""
    @property
    def nbytes(self) -> int:
        """Bytes of all packed samples together."""
    @property
    def raw(self) -> bool:
        """Whether only the bounds of the samples are known."""
    @property
    def selected(self) -> bool:
        """Whether columns were selected by name."""
    @property
    def crowded(self) -> bool:
        """Whether there are no columns, because there would be too many."""
    @property
    def odd_names(self) -> bool:
        """Whether a sample has a field whose name is not a str; such fields are in no column of the table."""
    @property
    def reserved(self) -> bool:
        """Whether a sample has a field ``b"nd"`` or ``b"complex"``: only decoding determines whether it is a map."""
    @property
    def names(self) -> list[str]:
        """Names of the columns, in order of first appearance or of selection."""

    def describe(self, column: int) -> tuple[str, np.dtype[Any] | None, tuple[int, ...]]:
        """Kind of a column, dtype of its array if it has one, and shape of one of its items.

        Kinds: ``object``, ``int64``, ``uint64``, ``float64``, ``bool``, ``complex128``, ``str``, ``bytes``,
        ``array`` (equal arrays or numpy scalars, stacked) and ``arrays`` (different ones).
        """

    def column(self, column: int) -> npt.NDArray[Any] | StrColumn | BytesColumn | ViewsColumn | None:
        """The values of a column without copying them, or None for kinds that have to be decoded."""

    def packed(self, row: int) -> memoryview:
        """The packed sample, in place."""

    def packed_bytes(self, row: int) -> bytes:
        """A copy of the packed sample."""

    def joined(self, rows: range) -> tuple[Buffer, npt.NDArray[np.uint64]]:
        """Packed samples of these rows, one after the other, and where each ends; uint64, shape ``(len(rows),)``.

        The buffer is a view if the samples are consecutive in memory, and a copy otherwise.
        """

    def decode(self, row: int, decoder: Decoder) -> Any:
        """The decoded sample. The `item` of a `KernelError` is the row."""

    def decode_run(self, start: int, stop: int, room: int, decoder: Decoder) -> list[Any]:
        """Samples from `start` on as objects: at least one, up to `stop`, until they take `room` bytes packed.

        Ends early before a damaged one, and raises only if that is the first.
        """

    def packed_run(self, start: int, stop: int, room: int) -> list[bytes]:
        """Copies of as many packed samples."""

    def decode_value(self, column: int, row: int, decoder: Decoder) -> Any:
        """One field of one sample, or None if it is missing. Positions in errors count from the start of the sample."""

    def view_buffers(self, column: int) -> tuple[memoryview, list[memoryview]]:
        """A ``str`` or ``bytes`` column in Arrow's layout: 16-byte views, and the buffers they point into."""

    def join_values(self, column: int, rows: range) -> tuple[bytes, npt.NDArray[np.uint64]]:
        """These values of a ``str`` or ``bytes`` column one after the other, and their ``len(rows) + 1`` offsets."""

class Column(Generic[T_co]):
    """A sequence of a batch's values that are made on access. Slices share memory."""

    table: Table
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __iter__(self) -> Iterator[T_co]: ...
    def tolist(self) -> list[Any]:
        """All values; ``bytes`` objects for a column of bytes."""

    def index(self, value: object, start: int = 0, stop: int | None = None) -> int: ...
    def count(self, value: object) -> int: ...
    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]: ...

class StrColumn(Column[str]):
    """Strings; each item is a new ``str``."""

class BytesColumn(Column[memoryview]):
    """Byte strings; an item is a read-only view into the arena, which it keeps alive."""

class ViewsColumn(Column[npt.NDArray[Any]]):
    """Arrays of different dtypes or shapes; items are read-only views of the packed samples, usually not aligned."""

class ObjectColumn(Column[Any]):
    """Values of any type, decoded on first access and kept from then on.

    Parameters:
        n: number of values.
        decode: returns the value of a row.
    """

    def __init__(self, n: int, decode: Callable[[int], Any]) -> None: ...

def build_table(
    samples: Iterable[Buffer],
    names: Iterable[str] | None = None,
    pool: Pool | None = None,
    *,
    raw: bool = False,
) -> Table:
    """Copy packed samples into an arena and find their columns.

    Parameters:
        samples: one msgpack message each.
        names: the columns to make; None for all.
        pool: provides the memory; by default a new pool.
        raw: check nothing and make no columns.

    Raises:
        KernelError: a sample is damaged; ``item`` is its number, ``pos`` the position.
    """
