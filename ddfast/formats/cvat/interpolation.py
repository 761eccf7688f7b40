"""Shapes of tracks in the frames between their keyframes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder, ragged
from ddfast.annotated.gather import spread
from ddfast.annotated.geometry import polygon_areas
from ddfast.annotated.tables import codes, floats, integers, lists
from ddfast.formats.cvat.attributes import is_outside

if TYPE_CHECKING:
    import pyarrow as pa

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BOX = ("x", "y", "width", "height")
COMPUTED = {"item", "frame", "rotation", "points", "attributes", "area", *BOX}


class Frames(NamedTuple):
    """The frames of the videos of a file, by row of their item.

    Attributes:
        video: number of the video of each item, int64.
        number: of the frame of each item, int64; -1 for images.
    """

    video: Integers
    number: Integers


def interpolated(table: pa.Table, frames: Frames) -> pa.Table:
    """Annotations with those between two shapes of a track, and after the last one, added at the end.

    Coordinates change linearly if both shapes have as many points, angles the shorter way; masks, labels, attributes
    and all else are those of the shape before. A shape that is outside has none after it.
    """
    before, after, items = _gaps(table, frames)
    if not len(items):
        return table
    number = frames.number[items]
    first, last = integers(table, "frame")[before], integers(table, "frame")[after]
    share = np.where(last > first, (number - first) / np.maximum(last - first, 1), 0.0)
    count = len(items)
    columns: dict[str, Any] = {
        name: table.column(name).combine_chunks().take(before)
        for name in table.column_names
        if name not in COMPUTED
    }
    box = np.stack([floats(table, name) for name in BOX], axis=1)
    moved = box[before] + (box[after] - box[before]) * share[:, None]
    columns |= dict(zip(BOX, moved.T, strict=True))
    points, offsets = _points(table, before, after, share)
    kinds = np.array([*codes(table, "type")[1], ""], object)[codes(table, "type")[0][before]]
    area = np.where(kinds == "bbox", moved[:, 2] * moved[:, 3], floats(table, "area")[before])
    area = np.where(kinds == "polygon", polygon_areas(points, offsets), area)
    rotation = _rotation(table, before, after, share)
    builder = TableBuilder.of_annotations()
    builder.add_table(table)
    builder.add(
        count, item=items.astype(np.int32), frame=number.astype(np.int32), area=_nullable(area),
        rotation=_nullable(np.where(rotation == 0, np.nan, rotation)),
        points=ragged(points, offsets, offsets[1:] == offsets[:-1]), attributes=_no_keyframes(table, before),
        **columns,
    )  # fmt: skip
    return builder.finish()


def _gaps(table: pa.Table, frames: Frames) -> tuple[Integers, Integers, Integers]:
    """Of each missing shape: the row of the shape before, of that after it (or again before), and its item."""
    items, numbers = integers(table, "item"), integers(table, "frame")
    rows = np.flatnonzero(integers(table, "track", -(2**63)) != -(2**63))
    keys = [
        frames.video[items[rows]], integers(table, "track")[rows], integers(table, "label", -1)[rows],
        codes(table, "type")[0][rows],
    ]  # fmt: skip
    order = np.lexsort([numbers[rows], *reversed(keys)])
    rows, keys = rows[order], [key[order] for key in keys]
    known = np.lexsort([frames.number, frames.video])
    known = known[frames.number[known] >= 0]
    place = np.empty(len(frames.number), np.int64)
    place[known] = np.arange(len(known))
    ends = np.searchsorted(frames.video[known], frames.video[items[rows]], side="right")
    is_last = np.append(np.any([key[1:] != key[:-1] for key in keys], axis=0), True)[: len(rows)]
    starts = place[items[rows]] + 1
    stops = np.where(is_last, ends, np.roll(starts - 1, -1))
    counts = np.maximum(np.where(is_outside(table)[rows], 0, stops - starts), 0)
    before = np.repeat(rows, counts)
    after = np.repeat(np.where(is_last, rows, np.roll(rows, -1)), counts)
    return before, after, known[spread(starts, counts)]


def _no_keyframes(table: pa.Table, rows: Integers) -> Any:
    """Attributes of rows, which are no keyframes."""
    import pyarrow as pa

    numbers, texts = codes(table, "attributes")
    changed = [json.dumps({**json.loads(text), "keyframe": False}, ensure_ascii=False) for text in texts]
    own = numbers[rows]
    return pa.array([None if code < 0 else changed[code] for code in own.tolist()], pa.string())


def _points(table: pa.Table, before: Integers, after: Integers, share: Floats) -> tuple[Floats, Integers]:
    """Points of shapes between two others."""
    values, offsets = lists(table, "points")
    counts = offsets[before + 1] - offsets[before]
    at = spread(offsets[before], counts)
    new = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=new[1:])
    found = values[at].astype(np.float64)
    same = np.repeat(counts == offsets[after + 1] - offsets[after], counts)
    there = spread(offsets[after], counts)
    found[same] += (values[there[same]] - found[same]) * np.repeat(share, counts)[same]
    return found, new


def _rotation(table: pa.Table, before: Integers, after: Integers, share: Floats) -> Floats:
    angles = np.nan_to_num(floats(table, "rotation"))
    turn = (angles[after] - angles[before] + 180) % 360 - 180
    found: Floats = np.where(share == 0, angles[before], (angles[before] + turn * share) % 360)
    return found


def _nullable(values: Floats) -> Any:
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))
