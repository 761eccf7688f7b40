from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer, Self

Kind = Literal["int", "number", "bool", "string", "numbers", "segments", "raw"]

KINDS: dict[str, int]

MISSING: int
"""State of a row whose record has no such member."""
PRESENT: int
NULL_VALUE: int
OTHER: int
"""State of a row with a value of another type than asked for: its text is in `JSONColumn.other`."""
FLAT: int
"""State of a row of "segments" whose value is a list of numbers: the row has it as its only part."""

class Readable(Protocol):
    def read(self, size: int, /) -> Buffer: ...

class JSONColumn(NamedTuple):
    """One field of the records of a chunk.

    What `values` contains, by kind:

    - "int": int64, shape ``(rows,)``. Whole numbers; also ``1.0`` and ``1e3`` up to ``2**53``. Without a value: 0.
    - "number": float64, shape ``(rows,)``, as ``float(text)``; ``NaN`` and ``Infinity`` too. Without a value: NaN.
    - "bool": bool, shape ``(rows,)``. Without a value: False.
    - "string": uint8, UTF-8 without escapes. Row i is ``values[offsets[i]:offsets[i + 1]]``.
    - "numbers": float64; lists of numbers, such as boxes. Row i is ``values[offsets[i]:offsets[i + 1]]``.
    - "segments": float64; lists of lists of numbers, such as polygons. Row i has the parts ``offsets[i]`` to
      ``offsets[i + 1]``; part j is ``values[parts[j]:parts[j + 1]]``. All values of row i:
      ``values[parts[offsets[i]]:parts[offsets[i + 1]]]``.
    - "raw": uint8, the JSON text of any value but null. Row i is ``values[offsets[i]:offsets[i + 1]]``.

    Offsets are int32, shape ``(rows + 1,)``, as Arrow has them; of other kinds None. `parts` is int32, shape
    ``(number of parts + 1,)``, or None.

    A value of another type is kept as its JSON text: number k belongs to row ``other_rows[k]`` and is
    ``other[other_offsets[k]:other_offsets[k + 1]]``. Such are a string for an "int", an integer beyond int64, a list
    with something else than numbers, an object for "segments", and a "string" that has no UTF-8 because half of a
    surrogate pair is escaped in it.
    """

    kind: str
    states: NDArray[np.uint8]
    """Shape ``(rows,)``: `MISSING`, `PRESENT`, `NULL_VALUE`, `OTHER`, or `FLAT`."""
    values: NDArray[Any]
    offsets: NDArray[np.int32] | None
    parts: NDArray[np.int32] | None
    other_rows: NDArray[np.int32]
    other_offsets: NDArray[np.int32]
    other: NDArray[np.uint8]

class JSONTable(NamedTuple):
    """A chunk: consecutive records of one array."""

    name: str
    first: int
    """Number of the first record in its array, from 0."""
    rows: int
    columns: dict[str, JSONColumn]
    """The fields of the schema, in its order."""
    extra: JSONColumn | None
    """Members that the schema does not name: for each record a JSON object of them, or no value if there are none."""

class JSONReader(Iterator[JSONTable]):
    """Reads arrays of records in a JSON document as columns, in one pass and in bounded memory.

    The document is an object, of which the arrays are members, or one array, which has the name ``""``. An array
    without records gives one table without rows; an array that the document lacks gives none. Of members of a record
    with equal names, the last one counts. The GIL is released while text is read.

    Parameters:
        source: bytes-like, the descriptor of a file, which is read from its beginning and stays open, or an object
            whose ``read(size)`` returns bytes.
        schemas: the fields to read and their kinds, by the name of the array.
        extra: whether to keep members of records that the schema does not name.
        name: name of the file, for errors.
        window_bytes: how much text to hold; more if one record needs it.
        max_record_bytes: maximum size of one record.
        chunk_records: a table ends after as many records,
        chunk_bytes: or when its columns have as many bytes.
        max_rest_bytes: maximum size of another member of the document that is kept.

    Raises:
        JSONFormatError: the text is not JSON, is truncated, or an array contains something else than objects. It is
            raised where reading arrives at the fault; tables before it have been returned.
        OSError: the file cannot be read.
        ValueError: an argument is invalid.
        TypeError: the source is none.
        RuntimeError: another thread is reading, too.
    """

    rest: dict[str, bytes]
    """JSON text of the other members of the document that have been read so far."""
    skipped: dict[str, tuple[int, int]]
    """Members that are too large to be kept: position and size of their values, in bytes."""

    def __init__(
        self,
        source: Buffer | int | Readable,
        schemas: Mapping[str, Mapping[str, Kind]],
        *,
        extra: bool = False,
        name: str | None = None,
        window_bytes: int = 1 << 20,
        max_record_bytes: int = 1 << 28,
        chunk_records: int = 1 << 16,
        chunk_bytes: int = 1 << 24,
        max_rest_bytes: int = 1 << 24,
    ) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> JSONTable: ...
