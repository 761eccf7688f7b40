"""Makes the images of masks of items: labels in one, numbers of objects in the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated import masks
from ddfast.annotated.tables import integers
from ddfast.errors import FormatError
from ddfast.formats.voc.index_images import index_png
from ddfast.formats.voc.label_map import VOID_COLOR, VOID_INDEX

if TYPE_CHECKING:
    from ddfast.annotated.colors import RgbColor
    from ddfast.annotated.tables import Tables
    from ddfast.formats.voc.content import VocContent

CLASSES, OBJECTS = "SegmentationClass", "SegmentationObject"


class MaskImages:
    """The images of masks of items.

    Parameters:
        tables: of the dataset.
        content: which annotations are masks.
        colored: whether images have colours.

    Attributes:
        hidden: number of masks of which other masks cover a part.
    """

    def __init__(self, tables: Tables, content: VocContent, colored: bool) -> None:
        self.hidden = 0
        self._tables = tables
        self._content = content
        self._rows = np.flatnonzero(content.masks)
        count = tables.items.num_rows
        self._starts = np.searchsorted(tables.item_rows[self._rows], np.arange(count + 1)).tolist()
        if not len(self._rows):
            return
        self._part = tables.annotations.select(["mask"]).take(self._rows).column("mask")
        names = ("z_order", "group")
        self._orders, self._groups = (integers(tables.annotations, name)[self._rows] for name in names)
        self._labels = content.entry_of[content.labels[self._rows]]
        self._sizes = self._sizes_of_masks()
        colors = {
            place: entry.color for place, entry in enumerate(content.entries) if entry.color is not None
        }
        self._void = next((place for place, color in colors.items() if color == VOID_COLOR), -1)
        self._class_colors: Mapping[int, RgbColor] | None = None
        self._object_colors: Mapping[int, RgbColor] | None = None
        if colored:
            if self._void >= 0 and len(colors) <= VOID_INDEX:
                colors[VOID_INDEX] = VOID_COLOR
            self._class_colors, self._object_colors = colors, {}
        self._objects = self._numbers_of_boxes()

    def _sizes_of_masks(self) -> list[tuple[int, int]]:
        items = self._tables.item_rows[self._rows]
        sizes = []
        for name in ("height", "width"):
            own = integers(self._tables.annotations, f"mask_{name}", -1)[self._rows]
            sizes.append(
                np.where(own < 0, integers(self._tables.items, name)[items], own).astype(int).tolist()
            )
        return list(zip(*sizes, strict=True))

    def _numbers_of_boxes(self) -> dict[tuple[int, int], int]:
        """Number of the object of each item and group, from 1 on, in the annotation file of the item."""
        rows = np.flatnonzero(self._content.objects)
        items = self._tables.item_rows[rows]
        numbers = np.arange(len(rows)) - np.searchsorted(items, items) + 1
        groups = integers(self._tables.annotations, "group")[rows]
        chosen = np.flatnonzero(groups != 0)[::-1]
        keys = zip(items[chosen].tolist(), groups[chosen].tolist(), strict=True)
        self._counts = np.bincount(items, minlength=self._tables.items.num_rows)
        return dict(zip(keys, numbers[chosen].tolist(), strict=True))

    def of(self, row: int) -> dict[str, bytes]:
        """The images of an item by folder; none if it has no masks.

        Raises:
            FormatError: its masks differ in size, or the size is unknown.
            AnnotationError: a mask is damaged.
        """
        start, stop = self._starts[row], self._starts[row + 1]
        if start == stop:
            return {}
        sizes = set(self._sizes[start:stop])
        if len(sizes) != 1:
            name = self._tables.items.column("id")[row].as_py()
            raise FormatError(
                f"Masks of item {name!r} differ in size, {sorted(sizes)}. Remove those of a wrong size"
            )
        numbers = self._numbers(row, start, stop)
        classes, objects = self._painted(start, stop, numbers, sizes.pop())
        return {
            CLASSES: index_png(classes, self._class_colors),
            OBJECTS: index_png(objects, self._object_colors),
        }

    def _numbers(self, row: int, start: int, stop: int) -> list[int]:
        """The number of each mask: 0 for background, that of the box in its group, or the next one after all boxes."""
        numbers, used = [], set()
        free = int(self._counts[row]) + 1
        for place in range(start, stop):
            label, group = int(self._labels[place]), int(self._groups[place])
            number = self._objects.get((row, group), 0) if group else 0
            if label == 0:
                number = 0
            elif label == self._void and VOID_INDEX not in used and free + stop - place < VOID_INDEX:
                number = VOID_INDEX
            elif not number or number in used:
                number, free = free, free + 1
            used.add(number)
            numbers.append(number)
        return numbers

    def _painted(self, start: int, stop: int, numbers: list[int], size: tuple[int, int]) -> tuple[Any, Any]:
        """Labels and numbers of pixels; masks with a larger z order are in front, of equal ones the later."""
        layers = np.zeros(size, np.int64)
        order = np.argsort(self._orders[start:stop], kind="stable").tolist()
        areas = {}
        for layer, place in enumerate(order, 1):
            pixels = masks.decode({"size": size, "counts": self._part[start + place].as_py()})
            layers[pixels] = layer
            areas[layer] = int(np.count_nonzero(pixels))
        left = np.bincount(layers.ravel(), minlength=len(order) + 1)
        self.hidden += sum(int(left[layer]) < area for layer, area in areas.items())
        labels = self._labels[start:stop][order]
        if self._class_colors is not None and VOID_INDEX in self._class_colors:
            labels = np.where(labels == self._void, VOID_INDEX, labels)
        chosen = np.array(numbers)[order]
        return np.append(0, labels)[layers], np.append(0, chosen)[layers]
