"""Attributes of annotations as text of XML, each combination once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.schema import CROWD
from ddfast.annotated.tables import codes, integers
from ddfast.formats.cvat.attributes import STATES, input_type, text_of
from ddfast.formats.xml import escaped

if TYPE_CHECKING:
    import pyarrow as pa

Rows = npt.NDArray[np.int64]


def attribute_value(text: str) -> str:
    """A text as it stands between double quotes: new lines and tabs would be read as spaces."""
    return escaped(text).replace("\n", "&#10;").replace("\t", "&#9;")


def attribute_element(name: str, text: str, indent: str = "      ") -> str:
    """The element of an attribute."""
    return f'{indent}<attribute name="{attribute_value(name)}">{escaped(text)}</attribute>\n'


def elements_of(values: Mapping[str, Any], indent: str = "      ") -> str:
    """The elements of all attributes."""
    return "".join(attribute_element(name, text_of(value), indent) for name, value in values.items())


def state_texts(states: Mapping[str, bool], in_tracks: bool) -> str:
    """The attributes of an element that say whether it is occluded, outside and a keyframe."""
    occluded = f' occluded="{int(states.get("occluded", False))}"'
    if not in_tracks:
        return occluded
    keyframe, outside = int(states.get("keyframe", True)), int(states.get("outside", False))
    return f' keyframe="{keyframe}" outside="{outside}"{occluded}'


def parted(values: Mapping[str, Any], in_tracks: bool) -> tuple[dict[str, bool], dict[str, Any]]:
    """States of an element, and its other attributes."""
    names = STATES if in_tracks else STATES[:1]
    states = {name: bool(values[name]) for name in names if values.get(name) in (True, False)}
    return states, {name: value for name, value in values.items() if name not in states}


class AttributeTexts:
    """The attributes of the annotations of a subset.

    Parameters:
        table: of annotations.
        labels: of each annotation.
        declared: names of the attributes to write, by label; None for all.
    """

    def __init__(self, table: pa.Table, labels: Rows, declared: Sequence[set[str]] | None) -> None:
        self._codes, self._texts = codes(table, "attributes")
        self._crowd = integers(table, "crowd", -1)
        self._labels = labels
        self._declared = declared

    def of(self, rows: Rows, in_tracks: bool) -> list[tuple[str, str]]:
        """The states of each row as attributes of its element, and the elements in it."""
        keys = zip(
            (self._labels[rows] if self._declared is not None else np.zeros(len(rows), np.int64)).tolist(),
            self._codes[rows].tolist(),
            self._crowd[rows].tolist(),
            strict=True,
        )
        known: dict[tuple[int, int, int], tuple[str, str]] = {}
        found = []
        for key in keys:
            texts = known.get(key)
            if texts is None:
                states, values = parted(self.values(*key), in_tracks)
                texts = known[key] = (state_texts(states, in_tracks), elements_of(values))
            found.append(texts)
        return found

    def of_row(self, row: int) -> dict[str, Any]:
        """All attributes of a row."""
        return self.values(int(self._labels[row]), int(self._codes[row]), int(self._crowd[row]))

    def values(self, label: int, code: int, crowd: int) -> dict[str, Any]:
        """The attributes to write of a combination of label, attributes and crowd."""
        values = json.loads(self._texts[code]) if code >= 0 else {}
        if crowd >= 0:
            values[CROWD] = bool(crowd)
        if self._declared is None:
            return values
        kept = {*STATES, *self._declared[label]}
        return {name: value for name, value in values.items() if name in kept}

    def types(self, in_tracks: bool) -> dict[int, dict[str, str]]:
        """By label, the input type of each attribute that is written."""
        combined = np.unique(np.stack([self._labels, self._codes, self._crowd], axis=1), axis=0)
        found: dict[int, dict[str, list[Any]]] = {}
        for label, code, crowd in combined.tolist():
            if label >= 0:
                of_label = found.setdefault(label, {})
                for name, value in parted(self.values(label, code, crowd), in_tracks)[1].items():
                    of_label.setdefault(name, []).append(value)
        return {
            label: {name: input_type(values) for name, values in of_label.items()}
            for label, of_label in found.items()
        }
