"""Which annotations of a Datumaro file make sense."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.gather import spread
from ddfast.annotated.json_values import rle_of, strings
from ddfast.tools.json_columns import MISSING, NULL_VALUE, OTHER, PRESENT

if TYPE_CHECKING:
    from ddfast.tools.json_columns import JSONColumn, JSONTable

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

INTEGERS = ("id", "label_id", "group", "object_id", "z_order", "frame")
SMALL = ("label_id", "z_order", "frame")  # their columns have 32 bits

Problem = Callable[[int, str, str], None]
"""Called with the number of a record in its chunk, the field, and what is wrong."""


class CheckedChunk:
    """Annotations of several items, and which of them make sense.

    Parameters:
        table: the records.
        items: row of the item of each; -1 for records that are no annotations.
        labels: their names; None if they are not known.
        problem: called for annotations that make no sense; they are left out.
    """

    def __init__(self, table: JSONTable, items: Rows, labels: Sequence[str] | None, problem: Problem) -> None:
        self.columns = table.columns
        self.items = items.astype(np.int32)
        self.good = items >= 0
        self._problem = problem
        self._labels = labels
        self._check_numbers(None if labels is None else len(labels))
        self._check_attributes()

    def _left(self, rows: Rows) -> Rows:
        return rows[self.good[rows]]

    def _refuse(self, rows: Rows, field: str, message: Callable[[int], str]) -> None:
        """Report annotations that make no sense, and leave them out."""
        for row in self._left(rows).tolist():
            self._problem(row, field, message(row))
            self.good[row] = False

    def _check_numbers(self, labels: int | None) -> None:
        for name in INTEGERS:
            column = self.columns[name]
            self._refuse(
                np.flatnonzero(column.states == OTHER), name,
                lambda row, column=column: f"{text_of(column, row)[:80]} is not an integer",  # type: ignore[misc]
            )  # fmt: skip
            if name in SMALL:
                large = np.flatnonzero(np.abs(column.values) >= 2**31)
                self._refuse(
                    large, name,
                    lambda row, column=column: f"{column.values[row]} needs more than 32 bits",  # type: ignore[misc]
                )  # fmt: skip
        label = self.columns["label_id"]
        unknown = label.values < 0 if labels is None else (label.values < 0) | (label.values >= labels)
        known = "" if labels is None else f"; there are {labels}"
        self._refuse(
            np.flatnonzero(unknown & (label.states == PRESENT)), "label_id",
            lambda row: f"there is no label {label.values[row]}{known}",
        )  # fmt: skip

    def _check_attributes(self) -> None:
        column = self.columns["attributes"]
        rows = np.flatnonzero(column.states == PRESENT)
        wrong = rows[column.values[offsets_of(column)[rows]] != ord("{")]
        self._refuse(wrong, "attributes", lambda row: "they are not an object")

    def lists(self, rows: Rows, name: str, fits: Callable[[Rows], Any], needs: str) -> Rows:
        """The rows of which a list of numbers is as it must be; others are reported.

        Parameters:
            fits: whether each number of values is right.
            needs: what is right, for the message.
        """
        column = self.columns[name]
        lengths = self._lengths(name)
        missing = rows[column.states[rows] != PRESENT]
        self._refuse(missing, name, lambda row: f"it must be a list of {needs}")
        rows = self._left(rows)
        wrong = rows[~np.asarray(fits(lengths[rows]), bool)]
        self._refuse(wrong, name, lambda row: f"it has {lengths[row]} numbers; it must have {needs}")
        if not self._is_finite(name):
            for row in self._left(rows).tolist():
                values, _ = self.values(np.array([row]), name)
                if not np.isfinite(values).all():
                    self._refuse(np.array([row]), name, lambda row: "a number is not finite")
        return self._left(rows)

    def _lengths(self, name: str) -> Rows:
        return np.diff(offsets_of(self.columns[name]))

    def _is_finite(self, name: str) -> bool:
        return bool(np.isfinite(self.columns[name].values).all())

    def values(self, rows: Rows, name: str) -> tuple[Floats, Rows]:
        """The numbers of lists, one list after the other, and where each starts."""
        column = self.columns[name]
        offsets = offsets_of(column)
        counts = offsets[rows + 1] - offsets[rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        values = column.values
        return (values if starts[-1] == len(values) else values[spread(offsets[rows], counts)]), starts

    def boxes(self, rows: Rows) -> Rows:
        """Rows with a box that makes sense."""
        rows = self.lists(rows, "bbox", lambda lengths: lengths == 4, "4 numbers")
        box = self.values(rows, "bbox")[0].reshape(-1, 4)
        negative = (box[:, 2:] < 0).any(axis=1)
        self._refuse(rows[negative], "bbox", lambda row: "its width or height is negative")
        return self._left(rows)

    def ellipses(self, rows: Rows) -> Rows:
        """Rows with the corners of an ellipse that make sense."""
        rows = self.lists(rows, "points", lambda lengths: lengths == 4, "4 numbers")
        corners = self.values(rows, "points")[0].reshape(-1, 4)
        negative = (corners[:, 2:] < corners[:, :2]).any(axis=1)
        self._refuse(rows[negative], "points", lambda row: "its width or height is negative")
        return self._left(rows)

    def polygons(self, rows: Rows) -> Rows:
        """Rows with the coordinates of a polygon."""
        return self.lists(
            rows, "points", lambda n: (n >= 6) & (n % 2 == 0), "an even number of at least 6 coordinates"
        )

    def lines(self, rows: Rows) -> Rows:
        """Rows with coordinates of points."""
        return self.lists(
            rows, "points", lambda n: (n >= 2) & (n % 2 == 0), "an even number of at least 2 coordinates"
        )

    def points(self, rows: Rows) -> Rows:
        """Rows with points whose visibility makes sense."""
        rows = self.lines(rows)
        column, half = self.columns["visibility"], self._lengths("points") // 2
        given = rows[~np.isin(column.states[rows], (MISSING, NULL_VALUE))]
        given = self.lists(given, "visibility", lambda n: n >= 0, "0, 1 or 2 for each point")
        wrong = given[self._lengths("visibility")[given] != half[given]]
        self._refuse(wrong, "visibility", lambda row: f"it must have {half[row]} numbers, one for each point")
        unknown = ~np.isin(column.values, (0, 1, 2))
        if unknown.any():
            owners = np.searchsorted(offsets_of(column), np.flatnonzero(unknown), side="right") - 1
            self._refuse(np.intersect1d(owners, given), "visibility", lambda row: "states are 0, 1 or 2")
        return self._left(rows)

    def masks(self, rows: Rows) -> Rows:
        """Rows with a mask that adds up."""
        texts = strings(self.columns["rle"])
        for row in rows.tolist():
            try:
                self._masks[row] = rle_of(json.loads(texts[row].as_py() or "null"))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                self._refuse(np.array([row]), "rle", lambda row, text=text: text)  # type: ignore[misc]
        return self._left(rows)

    def skeletons(self, rows: Rows) -> Rows:
        """Rows with points that have names, or whose label says the names."""
        rows = self.points(rows)
        texts, half = strings(self.columns["names"]), self._lengths("points") // 2
        for row in rows.tolist():
            names = json.loads(texts[row].as_py() or "null")
            named = isinstance(names, list) and all(isinstance(name, str) for name in names)
            if names is not None and not (named and len(names) == half[row] == len(set(names))):
                self._refuse(
                    np.array([row]), "names", lambda row: f"it must have {half[row]} different names"
                )
        return self._left(rows)

    def elements(self, rows: Rows) -> Rows:
        """Rows with a list of points, one for each joint, as CVAT writes skeletons."""
        texts = strings(self.columns["elements"])
        for row in rows.tolist():
            try:
                self._joints[row] = self._joints_of(json.loads(texts[row].as_py() or "null"))
            except (ValueError, TypeError, KeyError, IndexError, AttributeError):
                self._refuse(np.array([row]), "elements", lambda row: "it must be a list of labelled points")
        return self._left(rows)

    def _joints_of(self, form: Any) -> list[tuple[float, float, int, str]]:
        joints = [self._joint(one) for one in form]
        if not joints or len({name for *_, name in joints}) < len(joints):
            raise ValueError
        return joints

    def _joint(self, form: Any) -> tuple[float, float, int, str]:
        """Place, visibility and name of one point of a skeleton."""
        x, y = map(float, form["points"])
        (state,) = form.get("visibility") or (2,)
        label = form["label_id"]
        if not (np.isfinite([x, y]).all() and state in (0, 1, 2) and label >= 0):
            raise ValueError
        return x, y, state, str(label) if self._labels is None else self._labels[label]

    @cached_property
    def _joints(self) -> dict[int, list[tuple[float, float, int, str]]]:
        return {}

    @cached_property
    def _masks(self) -> dict[int, dict[str, Any]]:
        return {}

    def labels(self, rows: Rows) -> Rows:
        """Rows with a label."""
        return self._present(rows, "label_id")

    def captions(self, rows: Rows) -> Rows:
        """Rows with a text."""
        return self._present(rows, "caption")

    def cuboids(self, rows: Rows) -> Rows:
        """Rows with place, rotation and size of a cuboid."""
        for name in ("position", "rotation", "scale"):
            rows = self.lists(rows, name, lambda lengths: lengths == 3, "3 numbers")
        return rows

    def spans(self, rows: Rows) -> Rows:
        """Rows with the ends of a piece of text."""
        rows = self._present(self._present(rows, "start"), "end")
        start, end = self.columns["start"].values, self.columns["end"].values
        wrong = rows[(start[rows] < 0) | (end[rows] < start[rows])]
        self._refuse(wrong, "end", lambda row: f"{start[row]} to {end[row]} is no piece of text")
        return self._left(rows)

    def _present(self, rows: Rows, name: str) -> Rows:
        states = self.columns[name].states
        self._refuse(rows[states[rows] != PRESENT], name, lambda row: "it is missing or of another type")
        return self._left(rows)


def offsets_of(column: JSONColumn) -> Rows:
    """Where the rows of a column of lists or texts start; int64."""
    assert column.offsets is not None
    return column.offsets.astype(np.int64)


def text_of(column: JSONColumn, row: int) -> str:
    """The text of a value of another type than asked for."""
    number = int(np.searchsorted(column.other_rows, row))
    start, stop = column.other_offsets[number], column.other_offsets[number + 1]
    return bytes(column.other[start:stop]).decode(errors="replace")
