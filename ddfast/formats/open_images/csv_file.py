"""CSV files of Open Images, read and written column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.checks import shown

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report

__all__ = ["CsvTable", "csv_bytes"]

Floats = npt.NDArray[np.float64]


class CsvTable:
    """The columns of a file as text; columns that it lacks are empty.

    Parameters:
        path: of the file.
        columns: names of the columns.
        report: for problems.
        header: whether the first row has the names; otherwise the columns come in the order of `columns`.
    """

    def __init__(self, path: Path, columns: Sequence[str], report: Report, header: bool = True) -> None:
        import pyarrow as pa
        from pyarrow import csv

        self.path = path
        self._report = report
        types = dict.fromkeys(columns, pa.string())
        try:
            self.table = csv.read_csv(
                path,
                csv.ReadOptions(column_names=None if header else list(columns)),
                csv.ParseOptions(newlines_in_values=True),
                csv.ConvertOptions(
                    column_types=types, include_columns=list(columns), include_missing_columns=True
                ),
            )
        except pa.ArrowInvalid as error:
            if path.stat().st_size:
                report.problem(f"it is not a CSV file of Open Images: {error}", path)
            self.table = pa.table({name: pa.array([], pa.string()) for name in columns})

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def texts(self, name: str) -> pa.Array:
        """A column as an Arrow array of strings; without a value empty."""
        return self.table.column(name).fill_null("").combine_chunks()

    def numbers(self, name: str, missing: float) -> Floats:
        """A column of numbers; NaN for those that are none, which are reported.

        Parameters:
            name: of the column.
            missing: number for an empty value.
        """
        import pyarrow as pa
        from pyarrow import compute

        texts = self.texts(name)
        texts = compute.if_else(compute.equal(texts, ""), str(missing), texts)
        try:
            found: Floats = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            found = np.array([_number(text) for text in texts.to_pylist()])
        if np.isfinite(missing):
            for row in np.flatnonzero(~np.isfinite(found)).tolist():
                self.problem(row, f"it is {shown(texts[row].as_py())}; it must be a number", name)
            found = np.where(np.isfinite(found), found, np.nan)
        return found

    def problem(self, row: int, message: str, field: str) -> None:
        """Report a row that makes no sense."""
        self._report.problem(message, self.path, f"row {row + 1}", field)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def csv_bytes(columns: Mapping[str, Any], header: bool = True) -> bytes:
    """The content of a file; nulls are empty.

    Parameters:
        columns: lists or arrays of equal lengths by name.
        header: whether the first row has the names.
    """
    import pyarrow as pa
    from pyarrow import csv

    out = pa.BufferOutputStream()
    csv.write_csv(pa.table(dict(columns)), out, csv.WriteOptions(include_header=header))
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]
