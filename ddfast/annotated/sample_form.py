"""The annotations of one sample: a map of arrays, which any reader of msgpack understands.

=================  ================================================================================================
field              content
=================  ================================================================================================
``type``           codes of `AnnotationType`; uint8, shape ``(n,)``
``label``          index in the label categories, -1 for none; int32, shape ``(n,)``
``box``            x, y, width, height in pixels, NaN for none; float64, shape ``(n, 4)``
``area``           of the shape in pixels; float64, shape ``(n,)``
``points``         coordinates of all annotations, one after the other; float64
``points_starts``  where the coordinates of each annotation start in ``points``; int32, shape ``(n + 1,)``
``parts``          where each part of polygons with several parts starts among its coordinates, likewise with
                   ``parts_starts``; ``visibility`` (of points: 0 absent, 1 hidden, 2 visible) with
                   ``visibility_starts``
``mask``           list of bytes: the counts of COCO's compressed RLE, or nil; ``mask_height``, ``mask_width`` int32
``crowd``          1 if it stands for several objects, 0 if not, 255 for unknown; uint8
``attributes``     list of texts of JSON objects, or nil
others             ``id``, ``group``, ``z_order``, ``frame``, ``track`` (integers, the least value of the type for
                   none), ``rotation``, ``score`` (float64, NaN for none),
                   ``text``, ``author``, ``source``, ``status``, ``created`` (ISO 8601) (lists of str or nil)
=================  ================================================================================================

A field other than ``type`` that has no value in a sample is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.builder import TableBuilder, ragged
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.tables import codes, floats, integers, lists

if TYPE_CHECKING:
    import pyarrow as pa

BOX = ("x", "y", "width", "height")
INTEGERS: dict[str, type[Any]] = {
    "label": np.int32, "id": np.int64, "group": np.int64, "z_order": np.int32, "frame": np.int32, "track": np.int64,
    "mask_height": np.int32, "mask_width": np.int32, "crowd": np.uint8,
}  # fmt: skip
FLOATS = ("area", "rotation", "score")
LISTS = {"points": np.float64, "parts": np.int32, "visibility": np.int8}
OBJECTS = ("mask", "text", "author", "source", "status", "created", "attributes")


def missing_value(name: str) -> int:
    """What stands for no value in a field of integers."""
    if name in ("label", "crowd"):
        return int(np.array(-1).astype(INTEGERS[name]))
    return int(np.iinfo(INTEGERS[name]).min)


def packed_annotations(annotations: pa.Table, starts: Any) -> Iterator[dict[str, Any]]:
    """The maps of arrays of several items.

    Parameters:
        annotations: of all items, in their order.
        starts: first annotation of each item, and their number; int64, shape ``(items + 1,)``.
    """
    columns = _columns(annotations)
    ranged = {name: lists(annotations, name) for name in LISTS if name in annotations.column_names}
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        sample = {}
        for name, (values, present) in columns.items():
            if name == "type" or present[stop] > present[start]:
                sample[name] = values[start:stop]
        for name, (values, offsets) in ranged.items():
            first, last = offsets[start], offsets[stop]
            if last > first:
                sample[name] = values[first:last].astype(LISTS[name], copy=False)
                sample[f"{name}_starts"] = (offsets[start : stop + 1] - first).astype(np.int32)
        yield sample


def _columns(annotations: pa.Table) -> dict[str, tuple[Any, Any]]:
    """Values of fields without lists, and how many rows before each have a value."""
    columns: dict[str, tuple[Any, Any]] = {}
    count = annotations.num_rows
    kinds, names = codes(annotations, "type")
    numbers = np.array([AnnotationType[name].value for name in names], np.uint8)
    columns["type"] = numbers[kinds] if count else np.empty(0, np.uint8), np.arange(count + 1)
    if BOX[0] in annotations.column_names:
        box = np.stack([floats(annotations, name) for name in BOX], axis=1)
        columns["box"] = box, _before(~np.isnan(box[:, 0]))
    for name in annotations.column_names:
        if name in INTEGERS:
            values: Any = integers(annotations, name, missing_value(name))
            columns[name] = values, _before(values != missing_value(name))
        elif name in FLOATS:
            values = floats(annotations, name)
            columns[name] = values, _before(~np.isnan(values))
        elif name in OBJECTS:
            values = annotations.column(name).to_pylist()
            columns[name] = values, _before(annotations.column(name).is_valid().to_numpy())
    return columns


def _before(present: Any) -> Any:
    before = np.zeros(len(present) + 1, np.int64)
    np.cumsum(present, out=before[1:])
    return before


def unpack_annotations(maps: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The table of the annotations of several samples; ``item`` is the number of the map."""
    import pyarrow as pa

    counts = np.array([len(one.get("type", ())) for one in maps], np.int64)
    total = int(counts.sum())
    builder = TableBuilder.of_annotations()
    columns: dict[str, Any] = {"item": np.repeat(np.arange(len(maps), dtype=np.int32), counts)}
    names = np.full(256, None, object)
    for kind in AnnotationType:
        names[kind.value] = kind.name
    types = _joined(maps, counts, "type", np.uint8, 0)
    columns["type"] = names[types].tolist()
    fields = set().union(*maps) if maps else set()
    for name in fields & set(INTEGERS):
        values = _joined(maps, counts, name, INTEGERS[name], missing_value(name))
        columns[name] = pa.array(values, mask=values == missing_value(name))
    for name in fields & set(FLOATS):
        values = _joined(maps, counts, name, np.float64, np.nan)
        columns[name] = pa.array(values, mask=np.isnan(values))
    if "box" in fields:
        box = _joined(maps, counts, "box", np.float64, np.nan, (4,))
        columns.update(
            (name, pa.array(box[:, axis], mask=np.isnan(box[:, axis]))) for axis, name in enumerate(BOX)
        )
    for name in fields & set(LISTS):
        columns[name] = _joined_lists(maps, counts, name)
    for name in fields & set(OBJECTS):
        columns[name] = [
            value
            for one, count in zip(maps, counts.tolist(), strict=True)
            for value in (one[name] if name in one else [None] * count)
        ]
    if "crowd" in columns:
        columns["crowd"] = columns["crowd"].cast(pa.bool_())
    builder.add(total, **columns)
    return builder.finish()


def _joined(
    maps: Sequence[Mapping[str, Any]],
    counts: Any,
    name: str,
    kind: Any,
    missing: Any,
    shape: tuple[int, ...] = (),
) -> Any:
    parts = [
        np.asarray(one[name], kind) if name in one else np.full((count, *shape), missing, kind)
        for one, count in zip(maps, counts.tolist(), strict=True)
    ]
    return np.concatenate(parts) if parts else np.empty((0, *shape), kind)


def _joined_lists(maps: Sequence[Mapping[str, Any]], counts: Any, name: str) -> Any:
    values, lengths = [], []
    for one, count in zip(maps, counts.tolist(), strict=True):
        if name in one:
            values.append(np.asarray(one[name], LISTS[name]))
            lengths.append(np.diff(one[f"{name}_starts"]))
        else:
            lengths.append(np.zeros(count, np.int32))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    joined = np.concatenate(values) if values else np.empty(0, LISTS[name])
    return ragged(joined, offsets, np.diff(offsets) == 0)
