"""Annotations of tables as the JSON that Datumaro has for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.gather import spread
from ddfast.annotated.json_values import record_texts, states, text_column
from ddfast.annotated.parts import part_starts
from ddfast.annotated.schema import CROWD
from ddfast.annotated.tables import Tables, codes, floats, integers, lists
from ddfast.formats.datumaro.records import WORDS
from ddfast.tools.json_columns import MISSING, NULL_VALUE, OTHER, PRESENT, JSONColumn, json_column

if TYPE_CHECKING:
    import pyarrow as pa

Rows = npt.NDArray[np.int64]
Members = dict[str, JSONColumn | bytes]

AS_POINTS = ("polygon", "polyline", "points", "skeleton")  # whose coordinates are written as they are
WITH_Z_ORDER = (*AS_POINTS, "bbox", "ellipse", "mask")
WITHOUT_LABEL = ("caption",)


def annotations_of_items(tables: Tables, first: int, stop: int) -> JSONColumn:
    """The annotations of the items ``[first, stop)``: a list for each item."""
    block = tables.annotations_of(first, stop)
    starts = tables.starts[first : stop + 1] - tables.starts[first]
    rows = AnnotationRecords(tables, block)
    text, places = record_texts(rows.members(), rows.count, gap=2)
    firsts = rows.firsts[starts]  # the first record of each item
    filled = np.flatnonzero(firsts[1:] > firsts[:-1])
    text[places[1:] - 2] = ord(",")
    text[places[firsts[filled + 1]] - 2] = ord("]")
    text[places[firsts[filled]] - 1] = ord("[")
    found = np.full(stop - first, OTHER, np.uint8)
    found[filled] = PRESENT
    empty = np.flatnonzero(found == OTHER).astype(np.int32)
    ends = places[firsts] - 1
    column = json_column("raw", text, offsets=ends, states=found)
    return column._replace(
        other_rows=empty,
        other_offsets=np.arange(len(empty) + 1, dtype=np.int32) * 2,
        other=np.frombuffer(b"[]" * len(empty), np.uint8),
    )


class AnnotationRecords:
    """The records of a block of annotations; a polygon of several parts gives one for each part.

    Parameters:
        tables: for the sizes of items.
        block: the annotations.

    Attributes:
        count: of the records.
        firsts: the first record of each annotation, and their number.
    """

    def __init__(self, tables: Tables, block: pa.Table) -> None:
        self.values, offsets = lists(block, "points")
        kinds, names = codes(block, "type")
        kind_names = np.array([*names, ""], object)
        starts, first_parts = part_starts(block, offsets)
        counts = np.diff(first_parts)
        self.offsets = offsets
        copies = np.where((kind_names[kinds] == "polygon") & (counts > 1), counts, 1)
        self.firsts = np.concatenate([[0], np.cumsum(copies)])
        self.count = int(self.firsts[-1])
        if self.count > block.num_rows:
            self.offsets = np.append(offsets[:-1].repeat(copies), offsets[-1])
            several = np.flatnonzero(copies > 1)
            places = spread(self.firsts[several], copies[several])
            self.offsets[places] = starts[spread(first_parts[several], counts[several])]
            block = block.drop_columns(["points"]).take(np.arange(block.num_rows).repeat(copies))
            kinds = kinds.repeat(copies)
        self.block, self.tables = block, tables
        self.codes, self.names = kinds, names
        self.kinds = kind_names[kinds]

    def members(self) -> Members:
        """The members of the records, in Datumaro's order; after them those that only ddfast has."""
        members: Members = {
            "id": self._integers("id", 0),
            "type": self._types(),
            "attributes": self._attributes(),
            "group": self._integers("group", 0),
        }
        if "track" in self.block.column_names:
            members["object_id"] = self._integers("track", -1, leave_out=True)
        members["label_id"] = self._labels()
        members |= self._shapes()
        order = self._integers("z_order", 0)
        members["z_order"] = order._replace(states=states(np.isin(self.kinds, WITH_Z_ORDER)))
        return members | self._extensions()

    def _has(self, *kinds: str) -> npt.NDArray[np.bool_]:
        return np.isin(self.kinds, kinds)

    def _integers(self, name: str, missing: int, leave_out: bool = False) -> JSONColumn:
        values = integers(self.block, name, missing).astype(np.int64)
        return json_column("int", values, states=states(values != missing) if leave_out else None)

    def _types(self) -> JSONColumn:
        import pyarrow as pa

        written = ["points" if name == "skeleton" else name for name in self.names]
        return text_column("string", pa.array(written, pa.string()).take(pa.array(self.codes)))

    def _labels(self) -> JSONColumn:
        values = integers(self.block, "label", -1).astype(np.int64)
        found = np.where(values >= 0, PRESENT, NULL_VALUE).astype(np.uint8)
        found[self._has(*WITHOUT_LABEL) & (values < 0)] = MISSING
        return json_column("int", values, states=found)

    def _attributes(self) -> JSONColumn:
        """The attributes, and with them whether an annotation is a crowd."""
        import pyarrow as pa

        numbers, texts = codes(self.block, "attributes")
        crowds = integers(self.block, "crowd", 2)
        found, which = np.unique(numbers.astype(np.int64) * 3 + crowds, return_inverse=True)
        written = [
            attributes_text(texts[number // 3] if number // 3 >= 0 else None, (False, True, None)[number % 3])
            for number in found.tolist()
        ]
        return text_column("raw", pa.array(written, pa.string()).take(pa.array(which)))

    def _shapes(self) -> Members:
        members: Members = {}
        if self._has(*AS_POINTS, "ellipse").any():
            members["points"] = self._points()
        if self._has("bbox").any():
            box = np.stack([floats(self.block, name) for name in ("x", "y", "width", "height")], axis=1)
            offsets = np.arange(0, box.size + 1, 4)
            members["bbox"] = json_column(
                "numbers", box.reshape(-1), offsets=offsets, states=states(self._has("bbox"))
            )
        if self._has("mask").any():
            members["rle"] = self._masks()
        if self._has("caption").any():
            members["caption"] = self._texts("string", "caption")
        if self._has("points", "skeleton").any():
            values, offsets = lists(self.block, "visibility")
            members["visibility"] = json_column(
                "numbers", values.astype(np.float64), offsets=offsets, states=states(self._has("points", "skeleton"))
            )  # fmt: skip
        members |= self._cuboids()
        if self._has("skeleton").any():
            names = self._texts("raw", "skeleton")
            unnamed = self._has("skeleton") & (names.states == MISSING)
            members["names"] = names._replace(
                states=np.where(unnamed, NULL_VALUE, names.states).astype(np.uint8)
            )
        return members | self._spans()

    def _points(self) -> JSONColumn:
        """Coordinates of shapes; the corners of ellipses."""
        found = states(self._has(*AS_POINTS))
        rows = np.flatnonzero(self._has("ellipse"))
        found[rows] = OTHER
        column = json_column("numbers", self.values, offsets=self.offsets, states=found)
        if not len(rows):
            return column
        x, y, width, height = (floats(self.block, name)[rows] for name in ("x", "y", "width", "height"))
        corners = np.stack([x, y, x + width, y + height], axis=1).tolist()
        return _with_others(column, rows, [json.dumps(one).encode() for one in corners])

    def _masks(self) -> JSONColumn:
        """Masks as compressed RLE."""
        is_mask = self._has("mask")
        rows = np.flatnonzero(is_mask)
        block = self.block.take(rows)
        items = integers(block, "item")
        sizes = []
        for name in ("height", "width"):
            own = integers(block, f"mask_{name}", -1)
            sizes.append(np.where(own < 0, integers(self.tables.items, name)[items], own))
        size = np.stack(sizes, axis=1).astype(np.float64).reshape(-1)
        members = {
            "counts": text_column("string", block.column("mask")),
            "size": json_column("numbers", size, offsets=np.arange(0, size.size + 1, 2)),
        }
        text, places = record_texts(members, len(rows))
        offsets = places[np.concatenate([[0], np.cumsum(is_mask)])]
        return json_column("raw", text, offsets=offsets, states=states(is_mask))

    def _texts(self, form: Any, kind: str) -> JSONColumn:
        """The column ``text`` of one type."""
        column = text_column(form, self.block.column("text")) if "text" in self.block.column_names else None
        if column is None:
            return json_column(
                form, b"", offsets=np.zeros(self.count + 1, np.int64), states=states(self.kinds == "")
            )
        return column._replace(states=np.where(self._has(kind), column.states, MISSING).astype(np.uint8))

    def _cuboids(self) -> Members:
        is_cuboid = self._has("cuboid_3d")
        if not is_cuboid.any():
            return self._rotations({})
        rows = np.flatnonzero(is_cuboid)
        values = self.values[self.offsets[rows][:, None] + np.arange(9)]
        offsets = np.concatenate([[0], np.cumsum(is_cuboid) * 3])
        members: Members = {}
        for name, at in (("position", 0), ("rotation", 3), ("scale", 6)):
            part = np.ascontiguousarray(values[:, at : at + 3]).reshape(-1)
            members[name] = json_column("numbers", part, offsets=offsets, states=states(is_cuboid))
        return self._rotations(members)

    def _rotations(self, members: Members) -> Members:
        """The members with the rotation of boxes and ellipses, one number in degrees, an extension of the format."""
        angles = floats(self.block, "rotation")
        rows = np.flatnonzero(np.nan_to_num(angles) != 0)
        if not len(rows):
            return members
        nothing = json_column(
            "numbers",
            np.empty(0),
            offsets=np.zeros(self.count + 1, np.int64),
            states=states(self.kinds == ""),
        )
        column = members.get("rotation", nothing)
        assert isinstance(column, JSONColumn)
        return {
            **members,
            "rotation": _with_others(column, rows, [repr(one).encode() for one in angles[rows].tolist()]),
        }

    def _spans(self) -> Members:
        is_span = self._has("span")
        if not is_span.any():
            return {}
        ends = np.zeros((self.count, 2), np.int64)
        ends[is_span] = self.values[self.offsets[:-1][is_span][:, None] + np.arange(2)]
        found = states(is_span)
        return {
            "start": json_column("int", np.ascontiguousarray(ends[:, 0]), states=found),
            "end": json_column("int", np.ascontiguousarray(ends[:, 1]), states=found),
            "text": self._texts("string", "span"),
        }

    def _extensions(self) -> Members:
        """Members that Datumaro does not have, and ignores."""
        members: Members = {}
        names = self.block.column_names
        if "score" in names:
            scores = floats(self.block, "score")
            members["score"] = json_column("number", scores, states=states(~np.isnan(scores)))
        if "frame" in names:
            members["frame"] = self._integers("frame", -1, leave_out=True)
        for name in WORDS:
            if name in names:
                members[name] = text_column("string", self.block.column(name).unify_dictionaries())
        return members


def attributes_text(text: str | None, crowd: bool | None) -> str:
    """Attributes as JSON, with the one that says whether an annotation is a crowd if that is known."""
    if crowd is None:
        return text or "{}"
    inner = text.strip()[1:-1].strip() if text else ""
    return f'{{"{CROWD}": {"true" if crowd else "false"}{", " if inner else ""}{inner}}}'


def _with_others(column: JSONColumn, rows: Rows, texts: list[bytes]) -> JSONColumn:
    """A column with the texts of values of another type in some rows."""
    found = column.states.copy()
    found[rows] = OTHER
    return column._replace(
        states=found,
        other_rows=rows.astype(np.int32),
        other_offsets=np.cumsum([0, *map(len, texts)]).astype(np.int32),
        other=np.frombuffer(b"".join(texts), np.uint8),
    )
