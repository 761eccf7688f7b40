"""The numbers in label files: a row for each line, without an object for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Rows"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BOM = b"\xef\xbb\xbf"
NEWLINE = 10
IS_SPACE = np.zeros(256, bool)
IS_SPACE[list(b" \t\n\r\v\f")] = True


@dataclass(frozen=True)
class Rows:
    """Lines of several files that have numbers.

    Attributes:
        files: number of the file of each row.
        lines: its line, from 1.
        starts: where the numbers of each row begin in ``values``, and the end of the last.
        values: all numbers.
    """

    files: Integers
    lines: Integers
    starts: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.files)

    @property
    def counts(self) -> Integers:
        """How many numbers each row has."""
        return np.diff(self.starts)

    def column(self, rows: Integers, place: int) -> Floats:
        """The numbers at a place of some rows, which have so many; negative places count from the end."""
        return self.values[(self.starts[rows] if place >= 0 else self.starts[rows + 1]) + place]

    def block(self, rows: Integers, first: int, count: int) -> Floats:
        """``count`` numbers of some rows from the place ``first`` on; shape ``(rows, count)``."""
        found: Floats = self.values[self.starts[rows][:, None] + np.arange(first, first + count)]
        return found

    @classmethod
    def parse(cls, texts: Sequence[bytes], problem: Callable[[int, int, str], None]) -> Rows:
        """The rows of files; empty lines are none.

        Parameters:
            texts: of the files.
            problem: called with the number of a file, a line from 1, and what is wrong with it; the line is left out.
        """
        joined = b"\n".join([text.removeprefix(BOM) for text in texts])
        buffer = np.frombuffer(joined, np.uint8)
        space = IS_SPACE[buffer]
        begins = ~space
        begins[1:] &= space[:-1]
        firsts = np.flatnonzero(begins)
        ends = np.searchsorted(firsts, np.append(np.flatnonzero(buffer == NEWLINE), len(buffer)))
        counts = np.diff(ends, prepend=0)
        per_file = np.array([text.count(b"\n") + 1 for text in texts], np.int64)
        files = np.repeat(np.arange(len(texts)), per_file)
        lines = np.arange(len(files)) - np.repeat(np.cumsum(per_file) - per_file, per_file) + 1
        full = np.flatnonzero(counts)
        starts = np.zeros(len(full) + 1, np.int64)
        np.cumsum(counts[full], out=starts[1:])
        tokens = joined.split()
        rows = cls(files[full], lines[full], starts, numbers(tokens, b"_" not in joined))
        return rows._without_bad(tokens, problem)

    def _without_bad(self, tokens: Sequence[bytes], problem: Callable[[int, int, str], None]) -> Rows:
        bad = np.flatnonzero(~np.isfinite(self.values))
        if not len(bad):
            return self
        rows, first = np.unique(np.searchsorted(self.starts, bad, "right") - 1, return_index=True)
        for row, place in zip(rows.tolist(), bad[first].tolist(), strict=True):
            text = tokens[place][:40].decode(errors="replace")
            problem(int(self.files[row]), int(self.lines[row]), f"{text!r} is not a number")
        return self.select(np.delete(np.arange(len(self)), rows))

    def select(self, rows: Integers) -> Rows:
        """Some of the rows."""
        counts = self.counts[rows]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(counts, out=starts[1:])
        places = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)
        return Rows(self.files[rows], self.lines[rows], starts, self.values[places])


def numbers(tokens: Sequence[bytes], plain: bool = True) -> Floats:
    """Numbers from their texts; NaN for texts that are none, such as those with ``_``, which Python would accept."""
    try:
        return np.fromiter(map(float if plain else _number, tokens), np.float64, len(tokens))
    except ValueError:
        return np.fromiter(map(_number, tokens), np.float64, len(tokens))


def _number(token: bytes) -> float:
    try:
        return np.nan if b"_" in token else float(token)
    except ValueError:
        return np.nan
