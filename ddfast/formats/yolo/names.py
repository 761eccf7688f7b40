"""Classes of YOLO: which label each class number means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.categories import LabelCategories

if TYPE_CHECKING:
    from ddfast.annotated.report import Report

__all__ = ["ClassNames"]

MAX_CLASS = 2**31


@dataclass(frozen=True)
class ClassNames:
    """The classes of a dataset.

    Attributes:
        labels: in the order of their numbers.
        numbers: of each label, ascending; there may be gaps.
    """

    labels: LabelCategories
    numbers: npt.NDArray[np.int64]

    @classmethod
    def of(cls, names: Mapping[int, str], report: Report) -> ClassNames:
        """The classes of these names by number; of equal names, all but the first get their number appended."""
        labels = LabelCategories()
        numbers = sorted(names)
        for number in numbers:
            name = names[number]
            if name in labels:
                report.notes.append(
                    f"Class {number} has the name of another class, {name!r}: it is '{name} {number}'"
                )
                name = f"{name} {number}"
            labels.add(name, id=number)
        return cls(labels, np.array(numbers, np.int64))

    def labels_of(self, classes: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The label of each class number, -1 where there is none."""
        if not len(self.numbers):
            return np.full(len(classes), -1, np.int64)
        places = np.minimum(np.searchsorted(self.numbers, classes), len(self.numbers) - 1)
        return np.where(self.numbers[places] == classes, places, -1)
