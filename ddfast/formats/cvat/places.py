"""Where shapes are, as attributes of their elements."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.cvat_masks import to_cvat
from ddfast.annotated.run_lengths import counts_of
from ddfast.annotated.tables import floats, integers, lists
from ddfast.formats.cvat.numbers import exact_sums, number_texts, pair_texts
from ddfast.formats.cvat.shapes import EXACT

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.tables import Tables

LISTED = ("polygon", "polyline", "points")


def places_of(kind: str, block: pa.Table, tables: Tables) -> list[str]:
    """The text of each annotation of a block, which are of one kind.

    The parts of polygons are separated by ``|``. Skeletons and tags have none.
    """
    if kind == "bbox":
        return _boxes(block)
    if kind == "ellipse":
        return _ellipses(block)
    if kind == "mask":
        return _masks(block, tables)
    return _lists(block) if kind in LISTED else [""] * int(block.num_rows)


def _boxes(block: pa.Table) -> list[str]:
    return [
        f' xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"'
        for left, top, right, bottom in zip(
            number_texts(floats(block, "x")), number_texts(floats(block, "y")),
            exact_sums(block, "x", "width"), exact_sums(block, "y", "height"), strict=True,
        )
    ]  # fmt: skip


def _ellipses(block: pa.Table) -> list[str]:
    found = []
    for values in zip(*(floats(block, name).tolist() for name in ("x", "y", "width", "height")), strict=True):
        left, top, width, height = (Decimal(repr(value)) for value in values)
        across, down = width / 2, height / 2
        found.append(f' cx="{EXACT.add(left, across)}" cy="{EXACT.add(top, down)}" rx="{across}" ry="{down}"')
    return found


def _lists(block: pa.Table) -> list[str]:
    values, offsets = lists(block, "points")
    parts, part_offsets = lists(block, "parts")
    counts = part_offsets[1:] - part_offsets[:-1]
    breaks = np.repeat(offsets[:-1], counts) + parts.astype(np.int64)
    return [
        f' points="{text}"'
        for text in pair_texts(values.astype(np.float64, copy=False), offsets, breaks[parts > 0])
    ]


def _masks(block: pa.Table, tables: Tables) -> list[str]:
    items = integers(block, "item")
    sizes = []
    for name in ("height", "width"):
        own = integers(block, f"mask_{name}", -1)
        sizes.append(np.where(own < 0, integers(tables.items, name)[items], own).tolist())
    texts = block.column("mask").to_pylist()
    return [
        mask_place({"size": [height, width], "counts": text})
        for height, width, text in zip(*sizes, texts, strict=True)
    ]


def mask_place(rle: dict[str, Any]) -> str:
    """The run lengths of a mask and its box; a mask without pixels has one pixel of background."""
    if len(counts_of(rle)) < 2:
        return ' rle="1" left="0" top="0" width="1" height="1"'
    counts, left, top, right, bottom = to_cvat(rle)
    runs = ", ".join(map(str, counts))
    return f' rle="{runs}" left="{left}" top="{top}" width="{right - left + 1}" height="{bottom - top + 1}"'
