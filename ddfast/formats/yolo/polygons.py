"""The text of label files with polygons: objects of several parts, masks and what reaches beyond the image included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.geometry import boxes as around
from ddfast.annotated.outlines import cut, outline_of_mask, outline_of_parts
from ddfast.annotated.tables import codes, integers, lists
from ddfast.formats.yolo.texts import limited, rows_text

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.formats.yolo.changes import Changes

__all__ = ["polygons"]

Floats = npt.NDArray[np.float64]

FEWEST = 6
"""Numbers of a polygon."""


def polygons(annotations: pa.Table, sizes: Floats, decimals: int | None, changes: Changes) -> list[bytes]:
    """A line for each annotation: class and outline; empty if nothing of it is in the image.

    Parameters as of `texts.boxes`.
    """
    rings = Outlines(annotations, sizes, changes).rings()
    lengths = np.array([len(ring) for ring in rings])
    kept = np.flatnonzero(lengths >= FEWEST)
    changes.vanished += len(lengths) - len(kept)
    lengths = lengths[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths + 1)])
    values = np.empty(offsets[-1])
    coordinates = np.ones(len(values), bool)
    coordinates[offsets[:-1]] = False
    values[offsets[:-1]] = integers(annotations, "label")[kept]
    if len(kept):
        flat = np.concatenate([rings[row] for row in kept.tolist()]).reshape(-1, 2)
        relative = flat / np.repeat(sizes[kept], lengths // 2, axis=0)
        values[coordinates] = limited(relative, decimals).reshape(-1)
    lines = [b""] * len(rings)
    for row, line in zip(kept.tolist(), rows_text(values, offsets), strict=True):
        lines[row] = line
    return lines


class Outlines:
    """One polygon for each annotation, in pixels.

    Parameters:
        annotations: polygons and masks.
        sizes: width and height of the image of each.
        changes: counts outlines that were made or cut, by kind.
    """

    def __init__(self, annotations: pa.Table, sizes: Floats, changes: Changes) -> None:
        self._annotations = annotations
        self._sizes = sizes
        self._changes = changes
        self._values, self._offsets = lists(annotations, "points")
        self._parts, self._starts = lists(annotations, "parts")

    def rings(self) -> list[Floats]:
        """The polygons, x and y in turn."""
        values, offsets = self._values, self._offsets
        found = [
            values[start:stop]
            for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        ]
        several = np.diff(self._starts) > 1
        for row in np.flatnonzero(several).tolist():
            found[row] = self._joined(row)
        kinds, names = codes(self._annotations, "type")
        for row in np.flatnonzero(kinds == names.index("mask")).tolist() if "mask" in names else ():
            found[row] = self._of_mask(row)
        for row in self._beyond():
            width, height = self._sizes[row]
            found[row] = cut(found[row], height, width)
            self._changes.cut["polygons"] += 1
        return found

    def _beyond(self) -> list[int]:
        """Polygons that reach beyond their image."""
        box = around(self._values, self._offsets)
        beyond = (box[:, :2] < 0) | (box[:, :2] + box[:, 2:] > self._sizes)
        rows: list[int] = np.flatnonzero(beyond.any(axis=1)).tolist()
        return rows

    def _joined(self, row: int) -> Floats:
        start, stop = self._offsets[row], self._offsets[row + 1]
        parts = self._parts[self._starts[row] : self._starts[row + 1]]
        pieces = np.split(self._values[start:stop], parts[1:])
        width, height = self._sizes[row].astype(int).tolist()
        self._changes.joined += 1
        return outline_of_parts(pieces, height, width)

    def _of_mask(self, row: int) -> Floats:
        size: list[Any] = []
        for name, known in zip(("mask_height", "mask_width"), self._sizes[row][::-1], strict=True):
            own = (
                self._annotations.column(name)[row].as_py()
                if name in self._annotations.column_names
                else None
            )
            size.append(int(known) if own is None else own)
        mask = {"size": size, "counts": self._annotations.column("mask")[row].as_py()}
        ring = outline_of_mask(mask)
        self._changes.masks += 1
        if len(ring):
            again = masks.from_polygons([ring], *size)
            overlap = float(masks.iou([again], [masks.checked(mask)])[0, 0])
            self._changes.overlap = min(self._changes.overlap, overlap)
        scaled: Floats = ring * np.tile(self._sizes[row] / size[::-1], len(ring) // 2)
        return scaled
