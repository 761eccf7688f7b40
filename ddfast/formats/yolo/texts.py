"""The text of label files from columns of the tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ddfast.annotated.tables import codes, floats, integers, lists
from ddfast.tools.json_columns import JSONRecords, json_column

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.formats.yolo.changes import Changes

__all__ = ["boxes", "corners", "limited", "poses", "rows_text"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
# What JSON has around numbers: a row is written as {"":[0, 0.5, ...]}
JSON_SIGNS = b'{}":[],'

EXPONENT = re.compile(rb"\d[\d.]*e-\d+")


def rows_text(values: Floats, offsets: Integers) -> list[bytes]:
    """Rows of numbers as lines, without exponents, which some programs do not read."""
    if len(offsets) < 2:
        return []
    records = JSONRecords(
        {"": json_column("numbers", values, offsets=offsets)}, len(offsets) - 1, between=b"\n", short=True
    )
    text = b"".join(records).replace(b",", b" ").translate(None, JSON_SIGNS)
    if b"e" in text:
        text = EXPONENT.sub(
            lambda match: np.format_float_positional(float(match[0]), trim="-").encode(), text
        )
    return text.split(b"\n")


def table_text(values: Floats) -> list[bytes]:
    """Rows of equal length as lines."""
    return rows_text(np.ascontiguousarray(values).reshape(-1), np.arange(len(values) + 1) * values.shape[1])


def relative_boxes(annotations: pa.Table, sizes: Floats, changes: Changes) -> Floats:
    """Centre and size of boxes, cut at the sides of the image; shape ``(n, 4)``."""
    start = np.stack([floats(annotations, "x"), floats(annotations, "y")], axis=1)
    extent = np.stack([floats(annotations, "width"), floats(annotations, "height")], axis=1)
    rotation = floats(annotations, "rotation")
    turned = np.flatnonzero(np.nan_to_num(rotation))
    if len(turned):
        start[turned], extent[turned] = upright(start[turned], extent[turned], rotation[turned])
    low, high = np.clip(start, 0, sizes), np.clip(start + extent, 0, sizes)
    beyond = (start < 0) | (start + extent > sizes)
    changes.cut["boxes"] += int(beyond.any(axis=1).sum())
    centre = np.where(beyond, (low + high) / 2, start + extent / 2)
    return np.concatenate([centre / sizes, np.where(beyond, high - low, extent) / sizes], axis=1)


def upright(start: Floats, extent: Floats, rotation: Floats) -> tuple[Floats, Floats]:
    """Corner and size of the upright boxes around rotated ones."""
    angle = np.radians(rotation)
    cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    wide = np.stack(
        [extent[:, 0] * cos + extent[:, 1] * sin, extent[:, 0] * sin + extent[:, 1] * cos], axis=1
    )
    return start + extent / 2 - wide / 2, wide


def limited(values: Floats, decimals: int | None) -> Floats:
    """Relative coordinates, rounded if asked for, and none outside of the image."""
    return np.clip(values if decimals is None else np.round(values, decimals), 0, 1)


def boxes(annotations: pa.Table, sizes: Floats, decimals: int | None, changes: Changes) -> list[bytes]:
    """A line for each annotation: class, centre and size of its box.

    Parameters:
        annotations: to be written.
        sizes: width and height of the image of each; shape ``(n, 2)``.
        decimals: to round to; None for all.
        changes: counts what reached beyond its image.
    """
    box = limited(relative_boxes(annotations, sizes, changes), decimals)
    return table_text(np.concatenate([integers(annotations, "label")[:, None], box], axis=1))


def corners(annotations: pa.Table, sizes: Floats, decimals: int | None, changes: Changes) -> list[bytes]:
    """A line for each annotation: class and corners; parameters as of `boxes`."""
    x, y, width, height = (floats(annotations, name) for name in ("x", "y", "width", "height"))
    angle = np.radians(np.nan_to_num(floats(annotations, "rotation")))
    right = np.array([-0.5, 0.5, 0.5, -0.5]) * width[:, None]
    down = np.array([-0.5, -0.5, 0.5, 0.5]) * height[:, None]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    found = np.stack([
        (x + width / 2)[:, None] + right * cos - down * sin,
        (y + height / 2)[:, None] + right * sin + down * cos,
    ], axis=2)  # fmt: skip
    points, offsets = lists(annotations, "points")
    given = np.flatnonzero(np.diff(offsets))
    if len(given):
        found[given] = points.reshape(-1, 4, 2)
    changes.cut["rotated boxes"] += int(((found < 0) | (found > sizes[:, None])).any(axis=(1, 2)).sum())
    relative = limited((found / sizes[:, None]).reshape(-1, 8), decimals)
    return table_text(np.concatenate([integers(annotations, "label")[:, None], relative], axis=1))


def poses(
    annotations: pa.Table,
    sizes: Floats,
    decimals: int | None,
    changes: Changes,
    count: int,
    names: Mapping[int, Sequence[str]],
) -> list[bytes]:
    """A line for each annotation: class, box, and points.

    Parameters:
        annotations, sizes, decimals, changes: as of `boxes`.
        count: of the points of each line; those that an annotation lacks are absent.
        names: of the points of each label, which say the order of the points of skeletons.
    """
    values, offsets = lists(annotations, "points")
    visibility, starts = lists(annotations, "visibility")
    has_points = of_types(annotations, "points", "skeleton")
    points = np.zeros((annotations.num_rows, count, 3))
    lengths = np.where(has_points, np.diff(starts), 0)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    own = places + np.repeat(offsets[:-1] // 2, lengths)
    states = visibility[places + np.repeat(starts[:-1], lengths)]
    order_by_name(annotations, lengths, places, names)
    known = places >= 0
    changes.nameless += int((~known).sum())
    rows, places, own, states = rows[known], places[known], own[known], states[known]
    points[rows, places, :2] = values.reshape(-1, 2)[own] / sizes[rows]
    points[rows, places, 2] = states
    beyond = ((points[:, :, :2] < 0) | (points[:, :, :2] > 1)).any(axis=2)
    changes.cut["points"] += int((beyond & (points[:, :, 2] > 0)).sum())
    points[beyond] = 0
    points[:, :, :2] = limited(points[:, :, :2], decimals)
    box = limited(relative_boxes(annotations, sizes, changes), decimals)
    label = integers(annotations, "label")[:, None]
    return table_text(np.concatenate([label, box, points.reshape(len(points), -1)], axis=1))


def of_types(annotations: pa.Table, *types: str) -> npt.NDArray[np.bool_]:
    """Which annotations have one of some types."""
    kinds, names = codes(annotations, "type")
    return np.isin(kinds, [number for number, name in enumerate(names) if name in types])


def order_by_name(
    annotations: pa.Table, lengths: Integers, places: Integers, names: Mapping[int, Sequence[str]]
) -> None:
    """Change the places of points that have names to those of their names; -1 for unknown ones."""
    skeletons = np.flatnonzero(of_types(annotations, "skeleton"))
    if "text" not in annotations.column_names:
        return
    ends = np.cumsum(lengths)
    labels = integers(annotations, "label", -1)
    for row in skeletons.tolist():
        text = annotations.column("text")[row].as_py()
        if text is not None:
            order = {name: place for place, name in enumerate(names.get(int(labels[row]), ()))}
            listed = [order.get(name, -1) for name in json.loads(text)]
            places[ends[row] - lengths[row] : ends[row]] = listed
