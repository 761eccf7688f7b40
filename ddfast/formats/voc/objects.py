"""Objects of annotation files as text, for many images at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.schema import CROWD
from ddfast.annotated.tables import codes, floats, integers
from ddfast.formats.voc.label_map import FLAGS
from ddfast.formats.voc.values import attribute_element, flag, tag_of
from ddfast.formats.xml import escaped

if TYPE_CHECKING:
    from ddfast.annotated.tables import Tables
    from ddfast.formats.voc.content import VocContent

Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

MAX_PLACES = 7


@dataclass(frozen=True)
class Frame:
    """What stands before and after the box of an object, and its actions."""

    before: str
    after: str
    actions: dict[str, bool]


class ObjectTexts:
    """The text of each object.

    Parameters:
        tables: of the dataset.
        content: which annotations are objects.
        attributes: whether all attributes are written.
        one_based: whether the first pixel has the coordinate 1.

    Attributes:
        rows: of the objects, int64.
        starts: first object of each item, and their number; int64, shape ``(items + 1,)``.
    """

    def __init__(self, tables: Tables, content: VocContent, *, attributes: bool, one_based: bool) -> None:
        self._annotations = tables.annotations
        self._content = content
        self._all_attributes = attributes
        self._shift = 1.0 if one_based else 0.0
        self.rows = np.flatnonzero(content.objects)
        items = tables.item_rows[self.rows]
        self.starts = np.searchsorted(items, np.arange(tables.items.num_rows + 1))
        self._codes, texts = codes(self._annotations, "attributes")
        self._attributes: list[dict[str, Any]] = [json.loads(text) for text in texts]
        self._crowd = integers(self._annotations, "crowd", 2)
        self._parts = self._parts_by_owner()
        self._frames: dict[int, Frame] = {}

    def _parts_by_owner(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for row, owner in self._content.owners.items():
            found.setdefault(owner, []).append(row)
        return found

    def texts(self, first: int, stop: int) -> tuple[bytes, Rows]:
        """The text of all objects of the items ``[first, stop)``, and where that of each item starts."""
        import pyarrow as pa
        import pyarrow.compute as pc

        start, end = self.starts[first], self.starts[stop]
        rows = self.rows[start:end]
        frames, inverse = self._frames_of(rows)
        before = pa.array([frame.before for frame in frames], pa.string()).take(pa.array(inverse))
        after = pa.array([frame.after for frame in frames], pa.string()).take(pa.array(inverse))
        joined = pc.binary_join_element_wise(before, *self._boxes(rows), self._part_texts(rows), after, "")
        offsets = np.frombuffer(joined.buffers()[1], np.int32)[joined.offset :][: len(rows) + 1]
        data = joined.buffers()[2]
        ends = offsets[self.starts[first : stop + 1] - start].astype(np.int64)
        return (b"" if data is None else data.to_pybytes()), ends

    def actions(self, first: int, stop: int) -> dict[int, dict[str, bool]]:
        """The actions of the objects of some items that have any, by position in `rows`."""
        start, end = int(self.starts[first]), int(self.starts[stop])
        frames, inverse = self._frames_of(self.rows[start:end])
        if not any(frame.actions for frame in frames):
            return {}
        return {
            start + place: frames[number].actions
            for place, number in enumerate(inverse.tolist())
            if frames[number].actions
        }

    def has_parts(self, row: int) -> bool:
        """Whether the object of a row has parts."""
        return row in self._parts

    def _frames_of(self, rows: Rows) -> tuple[list[Frame], Rows]:
        """The different frames of some objects, and which of them each has."""
        count = len(self._attributes) + 1
        keys = (
            self._content.labels[rows].astype(np.int64) * count + self._codes[rows] + 1
        ) * 3 + self._crowd[rows]
        unique, inverse = np.unique(keys, return_inverse=True)
        for key in unique.tolist():
            if key not in self._frames:
                pair, crowd = divmod(key, 3)
                label, code = divmod(pair, count)
                self._frames[key] = self._frame(label, code - 1, crowd)
        return [self._frames[key] for key in unique.tolist()], inverse

    def _frame(self, label: int, code: int, crowd: int) -> Frame:
        """The text around the box of objects with a label, attributes and a mark of crowds (2 for none)."""
        attributes = dict(self._attributes[code]) if code >= 0 else {}
        if crowd < 2:
            attributes[CROWD] = bool(crowd)
        entry = self._content.entries[int(self._content.entry_of[label])]
        lines = [f"<name>{escaped(entry.name, 'label')}</name>"]
        pose = attributes.pop("pose", None)
        if pose is not None:
            lines.append(f"<pose>{escaped(str(pose), 'pose')}</pose>")
        lines += [f"<{name}>{_flag(attributes.pop(name, None)):d}</{name}>" for name in FLAGS[1:] + FLAGS[:1]]
        actions = {
            name: bool(attributes.pop(name))
            for name in entry.actions
            if isinstance(attributes.get(name), bool) and tag_of(name)
        }
        point = attributes.get("point")
        after = ""
        if isinstance(point, list) and len(point) == 2 and all(isinstance(one, int | float) for one in point):
            attributes.pop("point")
            after += f"\t\t<point><x>{point[0]}</x><y>{point[1]}</y></point>\n"
        if actions:
            listed = "".join(f"<{tag_of(name)}>{value:d}</{tag_of(name)}>" for name, value in actions.items())
            after += f"\t\t<actions>{listed}</actions>\n"
        if attributes and self._all_attributes:
            listed = "".join(attribute_element(name, value) for name, value in attributes.items())
            after += f"\t\t<attributes>{listed}</attributes>\n"
        before = "\t<object>\n" + "".join(f"\t\t{line}\n" for line in lines)
        return Frame(before, f"{after}\t</object>\n", actions)

    def _boxes(self, rows: Rows) -> list[Any]:
        """The arguments that are joined to the elements of boxes."""
        left, top, right, bottom = (_texts(values) for values in self._corners(rows))
        return [
            "\t\t<bndbox>\n\t\t\t<xmin>", left, "</xmin>\n\t\t\t<ymin>", top,
            "</ymin>\n\t\t\t<xmax>", right, "</xmax>\n\t\t\t<ymax>", bottom, "</ymax>\n\t\t</bndbox>\n",
        ]  # fmt: skip

    def _corners(self, rows: Rows) -> tuple[Values, Values, Values, Values]:
        """xmin, ymin, xmax and ymax of annotations; of rotated boxes, those of the upright box around them."""
        part = self._annotations.select(
            [
                name
                for name in ("x", "y", "width", "height", "rotation")
                if name in self._annotations.column_names
            ]
        ).take(rows)
        x, y, width, height = (floats(part, name) for name in ("x", "y", "width", "height"))
        angle = np.radians(np.nan_to_num(floats(part, "rotation")))
        turned = np.flatnonzero(angle)
        if len(turned):
            sine, cosine = np.abs(np.sin(angle[turned])), np.abs(np.cos(angle[turned]))
            wide = width[turned] * cosine + height[turned] * sine
            high = width[turned] * sine + height[turned] * cosine
            x[turned] += (width[turned] - wide) / 2
            y[turned] += (height[turned] - high) / 2
            width[turned], height[turned] = wide, high
        right, bottom = add_decimals(x, width), add_decimals(y, height)
        shift = np.full(len(rows), self._shift)
        return (
            (add_decimals(x, shift), add_decimals(y, shift), right, bottom)
            if self._shift
            else (x, y, right, bottom)
        )

    def _part_texts(self, rows: Rows) -> Any:
        """The text of the parts of each object."""
        import pyarrow as pa

        texts = [""] * len(rows)
        for place, row in enumerate(rows.tolist()) if self._parts else ():
            if row in self._parts:
                texts[place] = "".join(self._part(part) for part in self._parts[row])
        return pa.array(texts, pa.string())

    def _part(self, row: int) -> str:
        name = self._content.source_labels[int(self._content.labels[row])].name
        corners = [_texts(values)[0].as_py() for values in self._corners(np.array([row]))]
        box = "".join(
            f"<{corner}>{text}</{corner}>"
            for corner, text in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
        )
        return f"\t\t<part>\n\t\t\t<name>{escaped(name, 'label')}</name>\n\t\t\t<bndbox>{box}</bndbox>\n\t\t</part>\n"


def _flag(value: Any) -> bool:
    """The value of difficult, truncated or occluded."""
    return bool(flag(value)) if isinstance(value, str) else bool(value)


def _texts(values: Values) -> Any:
    """Numbers as text: the shortest that gives the same number, whole ones without a point."""
    import pyarrow as pa

    return pa.array(values + 0.0).cast(pa.string())


def add_decimals(first: Values, second: Values) -> Values:
    """Sums as decimal numbers are added: 0.1 + 0.2 is 0.3."""
    total = first + second
    places = np.maximum(_places(first), _places(second))
    for count in np.unique(places[places <= MAX_PLACES]).tolist():
        chosen = places == count
        total[chosen] = np.round(total[chosen], count)
    return total


def _places(values: Values) -> npt.NDArray[np.int8]:
    """Number of decimals of each value; more than ``MAX_PLACES`` if there are more."""
    places = np.full(len(values), MAX_PLACES + 1, np.int8)
    left = np.arange(len(values))
    for count in range(MAX_PLACES + 1):
        fits = np.round(values[left], count) == values[left]
        places[left[fits]] = count
        left = left[~fits]
        if not len(left):
            break
    return places
