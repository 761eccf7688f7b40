from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Self

from ddfast._native.json_reader import JSONColumn, Kind

def json_column(
    kind: Kind,
    values: NDArray[Any] | bytes,
    *,
    offsets: NDArray[Any] | None = None,
    parts: NDArray[Any] | None = None,
    states: NDArray[np.uint8] | None = None,
) -> JSONColumn:
    """A column for `JSONRecords`. Its parts are those of `JSONColumn`, but offsets can be int64.

    Parameters:
        kind: one of "int", "number", "bool", "string", "numbers", "segments" and "raw".
        values: what its rows have.
        offsets: where the rows of a list or string begin and end.
        parts: where the parts of "segments" begin and end.
        states: which rows have a value: `PRESENT` for all rows if not given.
    """

class JSONRecords(Iterator[bytes]):
    """Writes columns as JSON objects, one for each row, as chunks of text. The GIL is released while text is written.

    A number is written as ``repr`` writes it: the shortest text that is read back as the same number. Strings are
    written as UTF-8, with the escapes that JSON demands. A row that is `MISSING` leaves its member out; a row that is
    `OTHER` writes the text in `JSONColumn.other`. What `JSONReader` has read is so written again.

    Parameters:
        columns: the members and their values; ``bytes`` are the JSON text of a value that all records have.
        rows: number of records. Columns have at least so many rows.
        extra: a "raw" column of objects, whose members are added at the end of the records.
        nulls: write ``null`` for rows that are `MISSING`.
        short: write numbers without a fraction without a point: ``12`` for ``12.0``.
        between: text between two records.
        chunk_bytes: a chunk ends with the record that reaches this size.

    Raises:
        ValueError: a column is not as `JSONColumn` describes it; the error names field and row.
        TypeError: values or offsets have a type that cannot be converted without loss.
        RuntimeError: another thread is writing, too.
    """

    def __init__(
        self,
        columns: Mapping[str, JSONColumn | bytes],
        rows: int,
        *,
        extra: JSONColumn | None = None,
        nulls: bool = False,
        short: bool = False,
        between: bytes = b",\n",
        chunk_bytes: int = 1 << 22,
    ) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...

def format_numbers(values: ArrayLike, *, short: bool = False) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts of numbers, as ``repr`` writes them, one after another.

    Parameters:
        values: converted to float64, shape ``(n,)``.
        short: write ``12`` for ``12.0``.

    Returns:
        The text, and the positions in it, shape ``(n + 1,)``, where the numbers begin and end.
    """
