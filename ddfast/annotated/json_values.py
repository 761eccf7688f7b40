"""Columns of JSON files as Arrow arrays, and Arrow arrays as columns of JSON files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.tools.json_columns import MISSING, PRESENT, JSONColumn, JSONRecords, json_column

if TYPE_CHECKING:
    import pyarrow as pa

# Between two records whose places in the text are needed: JSON text has no such character.
SEPARATOR = b"\0"


def strings(column: JSONColumn) -> pa.StringArray:
    """A column of texts as an Arrow array; null where there is none."""
    import pyarrow as pa

    present = column.states == PRESENT
    validity = None if present.all() else pa.array(present).buffers()[1]
    buffers = [validity, pa.py_buffer(column.offsets), pa.py_buffer(column.values)]
    return pa.Array.from_buffers(pa.string(), len(present), buffers)


def text_column(kind: Literal["string", "raw"], texts: Any) -> JSONColumn:
    """Texts as a column; rows that are null have no value.

    Parameters:
        kind: ``"raw"`` if they are JSON.
        texts: Arrow array of strings, of bytes, or of codes of them.
    """
    import pyarrow as pa

    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if pa.types.is_dictionary(texts.type):
        texts = texts.cast(texts.type.value_type)
    _, places, values = texts.buffers()
    offsets = np.frombuffer(places, np.int32)[texts.offset : texts.offset + len(texts) + 1] if places else [0]
    text = np.frombuffer(values, np.uint8) if values else np.empty(0, np.uint8)
    valid = texts.is_valid().to_numpy(zero_copy_only=False)
    return json_column(kind, text, offsets=np.asarray(offsets, np.int64), states=states(valid))


def states(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """The states of rows that have a value or none."""
    return np.where(present, PRESENT, MISSING).astype(np.uint8)


def record_texts(
    columns: Mapping[str, JSONColumn | bytes], rows: int, extra: JSONColumn | None = None, gap: int = 1
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Records as text, with ``gap`` spaces after each, and one less before the first.

    Parameters:
        columns, rows, extra: as of `JSONRecords`.

    Returns:
        the text; where each record starts, int64, shape ``(rows + 1,)``.

    Raises:
        ValueError: a raw column has a text that is not JSON.
    """
    parts = list(JSONRecords(columns, rows, extra=extra, between=SEPARATOR * gap, short=True))
    text = np.frombuffer(
        bytearray(b"".join([b" " * (gap - 1), *parts, SEPARATOR * gap if rows else b""])), np.uint8
    )
    found = np.flatnonzero(text == SEPARATOR[0])
    if len(found) != rows * gap:
        raise ValueError("a text of the table is not JSON: it has the character NUL")
    text[found] = ord(" ")
    return text, np.concatenate([[gap - 1], found[gap - 1 :: gap] + 1]).astype(np.int64)


def rle_of(form: Any) -> dict[str, Any]:
    """The compressed RLE of what a file has: counts as a list or as text.

    Raises:
        ValueError: it is not a mask.
    """
    if not isinstance(form, dict) or not isinstance(form.get("counts"), str | list) or "size" not in form:
        raise ValueError(f"{str(form)[:80]} is not run lengths with 'size' and 'counts'")
    counts = form["counts"]
    if isinstance(counts, list):
        return masks.from_uncompressed(counts, form["size"])
    return masks.checked({"size": form["size"], "counts": counts})
