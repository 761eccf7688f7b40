"""Which items the annotations of a list belong to that has those of several items."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.tools.json_columns import PRESENT

if TYPE_CHECKING:
    from ddfast.tools.json_columns import JSONTable

Rows = npt.NDArray[np.int64]

NEXT_ITEM = f"next item {secrets.token_hex(8)}"
"""Member of the marks: records between the annotations of two items. No file can have it on purpose."""

MARK = f',{{"{NEXT_ITEM}": 1}},'.encode()


class Owners:
    """Which item each annotation of a document belongs to.

    Parameters:
        items: rows of the items of which it has the annotations, in order.
    """

    def __init__(self, items: Rows) -> None:
        self._items = items
        self._seen = 0  # marks in earlier chunks
        self._first = 0  # record of the document with which the annotations of the current item begin
        self._marks = np.empty(0, np.int64)
        self._table_first = 0

    def add(self, table: JSONTable) -> Rows:
        """The row of the item of each record of the next chunk; -1 for marks."""
        is_mark = table.columns[NEXT_ITEM].states == PRESENT
        if len(self._marks):
            self._first = int(self._marks[-1]) + 1
        self._marks = np.flatnonzero(is_mark) + table.first
        owners = self._items[self._seen + np.cumsum(is_mark)]
        self._seen += len(self._marks)
        self._table_first, self._owners = table.first, owners
        return np.where(is_mark, -1, owners)

    def of(self, row: int) -> tuple[int, int]:
        """The row of the item of a record of the last chunk, and the number of the record in the item."""
        record = self._table_first + row
        before = int(np.searchsorted(self._marks, record))
        first = int(self._marks[before - 1]) + 1 if before else self._first
        return int(self._owners[row]), record - first
