"""Annotations as text of XML elements, column by column."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.gather import take_rows
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.tables import codes, floats, integers, lists
from ddfast.formats.cvat.attribute_texts import AttributeTexts, attribute_element, attribute_value
from ddfast.formats.cvat.attributes import VISIBILITY
from ddfast.formats.cvat.places import places_of
from ddfast.formats.cvat.shapes import CUBOID
from ddfast.formats.cvat.skeletons import skeleton_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from ddfast.annotated.tables import Tables

Rows = npt.NDArray[np.int64]

TAGS = {
    "bbox": "box", "ellipse": "ellipse", "polygon": "polygon", "polyline": "polyline", "points": "points",
    "mask": "mask", "skeleton": "skeleton", "label": "tag",
}  # fmt: skip


class Elements:
    """The elements of the annotations of a subset.

    Parameters:
        tables: of the subset.
        names: of labels.
        frames: number of the frame of each item.
        undeclared: whether attributes that labels do not have are written, too.
    """

    def __init__(self, tables: Tables, names: Sequence[str], frames: Rows, undeclared: bool) -> None:
        table = tables.annotations
        numbers, kinds = codes(table, "type")
        self._tables = tables
        self._frames = frames
        self.kinds: npt.NDArray[Any] = np.array([*kinds, ""], object)[numbers]
        self.labels: Rows = integers(table, "label", -1)
        self.is_held: npt.NDArray[np.bool_] = np.isin(numbers, [
            code for code, kind in enumerate(kinds) if kind in TAGS
        ]) & (self.labels >= 0)  # fmt: skip
        self.groups = _groups_of(table)
        self.sources = codes(table, "source")
        self.attributes = AttributeTexts(table, self.labels, None if undeclared else _declared(tables))
        self._names = [f' label="{attribute_value(name)}"' for name in names]
        self._source_texts = [*(f' source="{attribute_value(source)}"' for source in self.sources[1]), ""]
        self._z_order = integers(table, "z_order")
        points = tables.categories.get(AnnotationType.points)
        self._points = points.items if isinstance(points, PointsCategories) else {}

    def texts(self, rows: Rows, in_tracks: bool) -> list[str]:
        """The element of each row.

        Parameters:
            rows: of annotations, all of which are held.
            in_tracks: whether they are elements of tracks, which have label, group and source themselves.
        """
        block = self._block(rows)
        kinds = self.kinds[rows]
        tags = [TAGS[kind] for kind in kinds.tolist()]
        heads = self._frame_texts(rows) if in_tracks else self._label_texts(rows)
        tails = self._tails(block, rows, kinds, in_tracks)
        found = [
            _element(tag, head if tag == "tag" else f"{head}{states}", place, tail, inner)
            for tag, head, (states, inner), place, tail in zip(
                tags,
                heads,
                self.attributes.of(rows, in_tracks),
                self._places(block, kinds),
                tails,
                strict=True,
            )
        ]
        self._add_points(found, block, rows, kinds, heads, tails, in_tracks)
        return found

    def track_text(self, row: int, number: int) -> str:
        """The start of the track of an annotation."""
        label, source = self._names[self.labels[row]], self._source_texts[self.sources[0][row]]
        group = f' group_id="{self.groups[row]}"' if self.groups[row] else ""
        return f'  <track id="{number}"{label}{source}{group}>\n'

    def skeletons(self) -> dict[int, list[str]]:
        """Names of the points of skeletons, by label that has any; cuboids are none."""
        table, found = self._tables.annotations, dict[int, list[str]]()
        rows = np.flatnonzero(self.is_held & (self.kinds == "skeleton"))
        if not len(rows):
            return found
        own = take_rows(table, rows)
        names = own.column("text").to_pylist() if "text" in own.column_names else [None] * len(rows)
        counts = np.diff(lists(own, "points")[1]) // 2
        for row, text, count in zip(rows.tolist(), names, counts.tolist(), strict=True):
            order = json.loads(text) if text else self._order(row, count)
            if tuple(order) != CUBOID:
                known = found.setdefault(int(self.labels[row]), [])
                known.extend(name for name in order if name not in known)
        return found

    def _block(self, rows: Rows) -> pa.Table:
        """The annotations of some rows, without a copy if they follow each other."""
        table = self._tables.annotations
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and bool((np.diff(rows) == 1).all()):
            return table.slice(int(rows[0]), len(rows))
        return take_rows(table, rows)

    def _places(self, block: pa.Table, kinds: npt.NDArray[Any]) -> list[str]:
        places = [""] * len(kinds)
        for kind in dict.fromkeys(kinds.tolist()):
            local = np.flatnonzero(kinds == kind)
            texts = places_of(
                kind, block if len(local) == len(kinds) else take_rows(block, local), self._tables
            )
            for at, text in zip(local.tolist(), texts, strict=True):
                places[at] = text
        return places

    def _label_texts(self, rows: Rows) -> list[str]:
        names, sources = self._names, self._source_texts
        return [
            names[label] + sources[source]
            for label, source in zip(self.labels[rows].tolist(), self.sources[0][rows].tolist(), strict=True)
        ]

    def _frame_texts(self, rows: Rows) -> list[str]:
        return [f' frame="{number}"' for number in self._frames[self._tables.item_rows[rows]].tolist()]

    def _tails(self, block: pa.Table, rows: Rows, kinds: npt.NDArray[Any], in_tracks: bool) -> list[str]:
        tails = [f' z_order="{number}"' for number in self._z_order[rows].tolist()]
        for at in np.flatnonzero(kinds == "label").tolist():
            tails[at] = ""
        angles = floats(block, "rotation")
        for at in np.flatnonzero(~np.isnan(angles) & (angles != 0)).tolist():
            tails[at] += f' rotation="{float(angles[at])!r}"'
        if not in_tracks:
            groups = self.groups[rows]
            for at in np.flatnonzero(groups).tolist():
                tails[at] += f' group_id="{groups[at]}"'
        return tails

    def _add_points(
        self,
        found: list[str],
        block: pa.Table,
        rows: Rows,
        kinds: npt.NDArray[Any],
        heads: list[str],
        tails: list[str],
        in_tracks: bool,
    ) -> None:
        """Write skeletons, and the states of points that are not all visible."""
        local = np.flatnonzero((kinds == "skeleton") | (kinds == "points"))
        if not len(local):
            return
        own = take_rows(block, local)
        points, offsets = lists(own, "points")
        states, state_offsets = lists(own, "visibility")
        names = own.column("text").to_pylist() if "text" in own.column_names else [None] * len(local)
        for number, at in enumerate(local.tolist()):
            visibility = states[state_offsets[number] : state_offsets[number + 1]].tolist()
            if kinds[at] == "points":
                if any(state != 2 for state in visibility):
                    inner = attribute_element(VISIBILITY, ",".join(map(str, visibility)))
                    found[at] = _with_inner(found[at], "points", inner)
                continue
            coordinates = points[offsets[number] : offsets[number + 1]].tolist()
            text = names[number]
            order = json.loads(text) if text else self._order(int(rows[at]), len(coordinates) // 2)
            values = self.attributes.of_row(int(rows[at]))
            found[at] = skeleton_text(
                heads[at], tails[at], order, coordinates, visibility or [2] * len(order), values, in_tracks
            )

    def _order(self, row: int, count: int) -> list[str]:
        """Names of the points of a skeleton that has none itself."""
        category = self._points.get(int(self.labels[row]))
        if category is not None and len(category.labels) == count:
            return category.labels
        return [str(number + 1) for number in range(count)]


def _element(tag: str, head: str, place: str, tail: str, inner: str) -> str:
    """An element; a polygon of several parts has one for each."""
    close = f">\n{inner}    </{tag}>\n" if inner else "/>\n"
    if "|" in place:
        parts = place[len(' points="') : -1].split("|")
        return "".join(f'    <{tag}{head} points="{part}"{tail}{close}' for part in parts)
    return f"    <{tag}{head}{place}{tail}{close}"


def _with_inner(text: str, tag: str, inner: str) -> str:
    """An element with another one at its end."""
    close = f"    </{tag}>\n"
    if text.endswith(close):
        return f"{text[: -len(close)]}{inner}{close}"
    return f"{text[: -len('/>') - 1]}>\n{inner}{close}"


def _groups_of(table: pa.Table) -> Rows:
    """Groups: a polygon of several parts without one gets one of its own, because each part is an element."""
    groups = integers(table, "group").astype(np.int64)
    offsets = lists(table, "parts")[1]
    rows = np.flatnonzero((offsets[1:] - offsets[:-1] > 1) & (groups == 0))
    if len(rows):
        groups[rows] = max(int(groups.max()), 0) + 1 + np.arange(len(rows))
    return groups


def _declared(tables: Tables) -> list[set[str]]:
    labels = tables.categories.get(AnnotationType.label)
    if not isinstance(labels, LabelCategories):
        return []
    return [label.attributes | labels.attributes for label in labels]
