"""Ids of images, categories and annotations: integers, and texts that stand in their place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.tools.json_columns import OTHER, PRESENT

if TYPE_CHECKING:
    from ddfast.tools.json_columns import JSONColumn

Ids = npt.NDArray[np.int64]

NONE = int(np.iinfo(np.int64).min)
"""The id of nothing."""


class TextIds:
    """Numbers for the ids of a file that are texts, so that all columns of ids are arrays of integers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def number(self, text: str) -> int:
        """The number that stands for a text."""
        number = self._numbers.setdefault(text, NONE + 1 + len(self._texts))
        if number == NONE + 1 + len(self._texts):
            self._texts.append(text)
        return number

    def text(self, number: int) -> str | None:
        """The text that a number stands for, None for integers of the file."""
        place = number - NONE - 1
        return self._texts[place] if 0 <= place < len(self._texts) else None

    def shown(self, number: int) -> str:
        """An id as the file has it."""
        text = self.text(number)
        return str(number) if text is None else json.dumps(text, ensure_ascii=False)

    def of(self, column: JSONColumn) -> tuple[Ids, npt.NDArray[np.bool_]]:
        """Ids of the records of a chunk, ``NONE`` where there is none, and which are neither integers nor texts."""
        wrong = column.states == OTHER
        ids = np.where(column.states == PRESENT, column.values, NONE)
        for row, text in other_texts(column):
            value = as_id(json.loads(text))
            if value is not None:
                ids[row] = value if isinstance(value, int) else self.number(value)
                wrong[row] = False
        return ids, wrong

    def integers(self, ids: Ids) -> Ids:
        """Ids whose texts are decimal numbers as those; others as they are."""
        found = ids.copy()
        for place in np.flatnonzero((ids > NONE) & (ids <= NONE + len(self._texts))).tolist():
            found[place] = integer_of(self._texts[int(ids[place]) - NONE - 1], int(ids[place]))
        return found


class Lookup:
    """Values by id; of equal ids the first counts. An integer finds the same number as text, and the other way."""

    def __init__(self, texts: TextIds) -> None:
        self._texts = texts
        self._ids: list[Ids] = []
        self._values: list[Ids] = []

    def add(self, ids: Ids, values: Ids) -> None:
        """Add values and their ids."""
        self._ids.append(ids)
        self._values.append(values)

    def __len__(self) -> int:
        return sum(map(len, self._ids))

    def of(self, asked: Ids) -> Ids:
        """The value of each id, -1 if there is none."""
        ids = np.concatenate([*self._ids, np.empty(0, np.int64)])
        values = np.concatenate([*self._values, np.empty(0, np.int64)])
        found = lookup(ids, values, asked)
        missing = found < 0
        if missing.any():
            found[missing] = lookup(self._texts.integers(ids), values, self._texts.integers(asked[missing]))
        return found

    def repeated(self) -> list[int]:
        """Ids that have several values."""
        ids = np.concatenate([*self._ids, np.empty(0, np.int64)])
        values = np.concatenate([*self._values, np.empty(0, np.int64)])
        order = np.argsort(ids, kind="stable")
        ids, values = ids[order], values[order]
        return list(dict.fromkeys(ids[1:][(ids[1:] == ids[:-1]) & (values[1:] != values[:-1])].tolist()))


def lookup(known: Ids, values: Ids, asked: Ids) -> Ids:
    """The value of each number asked for, -1 for those that are not known."""
    if not len(known):
        return np.full(len(asked), -1, np.int64)
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known, asked, sorter=order), len(known) - 1)
    found = order[places]
    return np.where(known[found] == asked, values[found], -1)


def as_id(value: Any) -> int | str | None:
    """An id of a JSON file: an integer, or a text, which stands for larger integers, too; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if NONE + 2**32 < value < 2**63 else str(value)
    return value if isinstance(value, str) and value and is_unicode(value) else None


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: JSON may escape half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def integer_of(text: str, default: int) -> int:
    """The number that a text of decimal digits means."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else default


def other_texts(column: JSONColumn) -> list[tuple[int, bytes]]:
    """Row and JSON text of each value of another type than the column's."""
    bounds = column.other_offsets.tolist()
    return [
        (row, bytes(column.other[bounds[place] : bounds[place + 1]]))
        for place, row in enumerate(column.other_rows.tolist())
    ]
