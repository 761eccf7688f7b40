"""Reads masks of objects from the images of Pascal VOC."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated import masks
from ddfast.formats.voc.index_images import UNKNOWN, instances_in, labels_in
from ddfast.formats.voc.label_map import LabelMapEntry, background_of, colors_of

if TYPE_CHECKING:
    from ddfast.annotated.report import Report


@dataclass
class MaskColumns:
    """Columns of the masks of many files."""

    item: list[int] = field(default_factory=list)
    label: list[int | None] = field(default_factory=list)
    group: list[int | None] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    area: list[float] = field(default_factory=list)
    mask: list[bytes] = field(default_factory=list)
    mask_height: list[int] = field(default_factory=list)
    mask_width: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.item)


class MaskFiles:
    """Reads masks.

    Parameters:
        entries: the label map.
        report: for problems.

    Attributes:
        columns: of all masks.
    """

    def __init__(self, entries: list[LabelMapEntry], report: Report) -> None:
        self.columns = MaskColumns()
        self._report = report
        self._count = len(entries)
        self._colors = colors_of(entries)
        self._background = background_of(entries)

    def read(self, classes: Path | None, objects: Path | None, item: int) -> list[tuple[int, int | None]]:
        """Read the masks of an item; without an image of objects, one for each label.

        Parameters:
            classes: the image of labels, if there is one.
            objects: the image of objects, likewise.
            item: row of the item.

        Returns:
            Number and label of each object.

        Raises:
            MediaError: an image cannot be read.
            AnnotationError: it has too many pixels.
        """
        labels = None if classes is None else self._labels(classes)
        if objects is None:
            assert labels is not None
            for label in np.unique(labels[labels >= 0]).tolist():
                if label != self._background:
                    self._add(labels == label, label, None, item)
            return []
        numbers = instances_in(str(objects))
        if labels is not None and labels.shape != numbers.shape:
            self._report.problem(
                f"it has {labels.shape[0]} x {labels.shape[1]} pixels, {objects} has"
                f" {numbers.shape[0]} x {numbers.shape[1]}",
                classes,
            )  # fmt: skip
            return []
        found = []
        for number in np.unique(numbers[numbers > 0]).tolist():
            pixels = numbers == number
            label = None if labels is None else _most(labels[pixels])
            if label is not None and label == self._background:
                continue
            self._add(pixels, label, number, item)
            found.append((number, label))
        return found

    def _labels(self, path: Path) -> Any:
        labels, unknown = labels_in(str(path), self._colors, self._count)
        if unknown:
            shown = ", ".join(map(str, sorted(unknown, key=str)[:5]))
            self._report.problem(
                f"the label map has no label for {len(unknown)} colours or indices: {shown}. Their pixels are left out",
                path,
            )
        return labels

    def _add(self, pixels: Any, label: int | None, group: int | None, item: int) -> None:
        rle = masks.encode(pixels)
        x, y, width, height = masks.box(rle)
        columns = self.columns
        columns.item.append(item)
        columns.label.append(label)
        columns.group.append(group)
        for values, value in zip(
            (columns.x, columns.y, columns.width, columns.height, columns.area),
            (x, y, width, height, int(np.count_nonzero(pixels))),
            strict=True,
        ):
            values.append(float(value))
        columns.mask.append(rle["counts"])
        columns.mask_height.append(pixels.shape[0])
        columns.mask_width.append(pixels.shape[1])


def _most(labels: Any) -> int | None:
    """The label of the most pixels; None if they have none."""
    values, counts = np.unique(labels[labels != UNKNOWN], return_counts=True)
    if not len(values):
        return None
    label = int(values[np.argmax(counts)])
    return label if label >= 0 else None
