"""Masks and keypoints of samples as arrays for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated import masks
from ddfast.annotated.kinds import AnnotationType
from ddfast.errors import TaskError

Annotations = Mapping[str, Any]

NO_LABEL = 255
"""Value of pixels without a label in index maps of bytes."""


def sample_size(sample: Mapping[str, Any], one: Annotations) -> tuple[int, int]:
    """Height and width of a sample: its own, or those of its first mask.

    Raises:
        TaskError: it has neither.
    """
    height, width = sample.get("height"), sample.get("width")
    if height is None or width is None:
        own = [int(value) for name in ("mask_height", "mask_width") for value in one.get(name, ())[:1]]
        if len(own) < 2 or min(own) < 0:
            raise TaskError(f"Sample {sample.get('key')!r} has no height and width, which masks need")
        height, width = own
    return int(height), int(width)


def instance_masks(
    one: Annotations, size: tuple[int, int], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """The masks of some annotations; uint8, shape ``(len(rows), height, width)``."""
    found = np.zeros((len(rows), *size), np.uint8)
    for number, row in enumerate(rows.tolist()):
        found[number] = _mask(one, size, row)
    return found


def index_map(one: Annotations, size: tuple[int, int]) -> npt.NDArray[Any]:
    """The label of each pixel: that of the annotation in front, by ``z_order`` and then by place in the list.

    Returns:
        uint8 with ``NO_LABEL`` for no label, shape ``(height, width)``; int32 with -1 if a label is 255 or more.
    """
    labels = np.asarray(one.get("label", np.empty(0)), np.int32)
    wide = bool(len(labels) and labels.max() >= NO_LABEL)
    found = np.full(size, -1 if wide else NO_LABEL, np.int32 if wide else np.uint8)
    order = np.asarray(one.get("z_order", np.zeros(len(labels))))
    order = np.where(order == np.iinfo(np.int32).min, 0, order)
    for row in np.argsort(order, kind="stable").tolist():
        if labels[row] >= 0 and one["type"][row] in (AnnotationType.polygon, AnnotationType.mask):
            found[_mask(one, size, row)] = labels[row]
    return found


def keypoints(one: Annotations, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Points of some annotations: x, y, visibility; float32, shape ``(len(rows), most points, 3)``, zeros for none."""
    points = [one["points"][start:stop].reshape(-1, 2) for start, stop in _ranges(one, "points", rows)]
    states = [one["visibility"][start:stop] for start, stop in _ranges(one, "visibility", rows)]
    found = np.zeros((len(rows), max(map(len, points), default=0), 3), np.float32)
    for number, (own, state) in enumerate(zip(points, states, strict=True)):
        found[number, : len(own), :2] = own
        found[number, : len(own), 2] = state
    return found


def _ranges(one: Annotations, name: str, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    starts = one[f"{name}_starts"] if len(rows) else np.empty(0)
    return ((int(starts[row]), int(starts[row + 1])) for row in rows.tolist())


def _mask(one: Annotations, size: tuple[int, int], row: int) -> npt.NDArray[np.bool_]:
    """The pixels of one annotation: of its mask, its polygons or its box."""
    kind = one["type"][row]
    if kind == AnnotationType.mask:
        return masks.decode({"size": list(size), "counts": one["mask"][row]})
    if kind == AnnotationType.polygon:
        return masks.decode(masks.from_polygons(_polygons(one, row), *size))
    x, y, width, height = one["box"][row].tolist()
    right, bottom = x + width, y + height
    return masks.decode(masks.from_polygons([[x, y, right, y, right, bottom, x, bottom]], *size))


def _polygons(one: Annotations, row: int) -> list[npt.NDArray[np.float64]]:
    start, stop = one["points_starts"][row : row + 2].tolist()
    values = one["points"][start:stop]
    if "parts" not in one:
        return [values]
    first, last = one["parts_starts"][row : row + 2].tolist()
    cuts = one["parts"][first:last].tolist()
    return np.split(values, cuts[1:]) if cuts else [values]
