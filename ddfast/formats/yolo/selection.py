"""Which annotations of a dataset YOLO can hold, for each task, and what it has no place for."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ddfast.annotated.format import PLURALS, Capabilities, losses
from ddfast.annotated.tables import Tables, codes, floats, integers, lists

__all__ = ["Selection", "task_of"]

Booleans = npt.NDArray[np.bool_]

OUTLINES = ("polygon", "mask", "ellipse")
POINTS = ("points", "skeleton")

CORNER_VALUES = 8

MAX_SIZE = 2**31 - 1


def task_of(tables: Tables) -> str:
    """The task that holds most of what the annotations say."""
    numbers, names = codes(tables.annotations, "type")
    present = {names[number] for number in np.unique(numbers).tolist()}
    if present & set(POINTS):
        return "pose"
    if present & {"polygon", "mask"}:
        return "segment"
    if "bbox" in present:
        rotation = floats(tables.annotations, "rotation")
        return "obb" if np.nan_to_num(rotation).any() else "detect"
    return "classify" if "label" in present else "detect"


class Selection:
    """The annotations that a task writes.

    Parameters:
        tables: of the dataset.
        task: one of ``TASKS``.
        skip_crowd: leave out crowds.
    """

    def __init__(self, tables: Tables, task: str, skip_crowd: bool = False) -> None:
        self._tables = tables
        self._task = task
        self._skip = skip_crowd
        self._codes, self._names = codes(tables.annotations, "type")

    def of_types(self, *types: str) -> Booleans:
        """Which annotations have one of some types."""
        wanted = [number for number, name in enumerate(self._names) if name in types]
        return np.isin(self._codes, wanted)

    def _with(self, *types: str) -> Booleans:
        """Annotations in a group of their item that has an annotation of some types."""
        annotations = self._tables.annotations
        grouped = np.flatnonzero(integers(annotations, "group") != 0)
        found = np.zeros(annotations.num_rows, bool)
        if len(grouped):
            _, group = np.unique(integers(annotations, "group")[grouped], return_inverse=True)
            keys = self._tables.item_rows[grouped].astype(np.int64) * (int(group.max()) + 1) + group
            found[grouped] = np.isin(keys, keys[self.of_types(*types)[grouped]])
        return found

    @cached_property
    def merged(self) -> Booleans:
        """Annotations that are the same object as one that is written, and say nothing else."""
        if self._task == "segment":
            return self.of_types("bbox") & self._with("polygon", "mask")
        if self._task == "pose":
            return self.of_types("bbox", *OUTLINES) & self._with(*POINTS)
        if self._task == "detect":
            return self.of_types(*OUTLINES) & self._with("bbox")
        return np.zeros(len(self._codes), bool)

    @cached_property
    def _fit(self) -> Booleans:
        """Annotations of types that the task has a row for."""
        if self._task == "detect":
            return self.of_types("bbox", *OUTLINES)
        if self._task == "segment":
            return self.of_types("polygon", "mask")
        if self._task == "obb":
            return self.of_types("bbox") | self._four_corners
        if self._task == "pose":
            return self.of_types("bbox", *OUTLINES, *POINTS)
        return self.of_types("label") & self._first_label

    @cached_property
    def _four_corners(self) -> Booleans:
        _, offsets = lists(self._tables.annotations, "points")
        corners: Booleans = np.diff(offsets) == CORNER_VALUES
        return self.of_types("polygon") & corners

    @cached_property
    def _first_label(self) -> Booleans:
        rows = np.flatnonzero(self.of_types("label"))
        found = np.zeros(len(self._codes), bool)
        _, first = np.unique(self._tables.item_rows[rows], return_index=True)
        found[rows[first]] = True
        return found

    @cached_property
    def _labelled(self) -> Booleans:
        return integers(self._tables.annotations, "label", -1) >= 0

    @cached_property
    def _crowd(self) -> Booleans:
        found: Booleans = integers(self._tables.annotations, "crowd") == 1
        return found

    @cached_property
    def _outside(self) -> Booleans:
        """Shapes of which nothing is in their image, if its size is known."""
        annotations, rows = self._tables.annotations, self._tables.item_rows
        found = np.zeros(len(rows), bool)
        for start, extent, size in (("x", "width", "width"), ("y", "height", "height")):
            low, high = floats(annotations, start), floats(annotations, start) + floats(annotations, extent)
            end = integers(self._tables.items, size, MAX_SIZE)[rows]
            found |= (low > end) | (high < 0) | (((low >= end) | (high <= 0)) & (low < high))
        return found

    @cached_property
    def chosen(self) -> Booleans:
        """The annotations that are written."""
        chosen = self._fit & ~self.merged & self._labelled & ~self._outside
        return chosen & ~self._crowd if self._skip else chosen

    def losses(self) -> Counter[str]:
        """What is not written: kind and number."""
        fields = {"obb": {"rotation"}, "pose": {"group"}}.get(self._task, set())
        lost = losses(self._tables, Capabilities(frozenset(self._names), frozenset(fields)))
        wanted = self._fit | self.merged
        for code, name in enumerate(self._names):
            lost[PLURALS.get(name, f"{name}s")] += int(((self._codes == code) & ~wanted).sum())
            outlined = self._task in ("detect", "pose") and name in OUTLINES
            if outlined:
                lost[f"outlines of {PLURALS.get(name, f'{name}s')}"] += int(
                    ((self._codes == code) & wanted).sum()
                )
        rest = self._fit & ~self.merged
        lost["annotations without a label"] += int((rest & ~self._labelled).sum())
        lost["annotations outside of their image"] += int((rest & self._labelled & self._outside).sum())
        written = rest & self._labelled & ~self._outside & self._crowd
        lost["crowds" if self._skip else "marks of crowds"] += int(written.sum())
        return +lost
