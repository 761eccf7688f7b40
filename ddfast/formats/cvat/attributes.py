"""Attributes of annotations: what their texts mean, and their texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.schema import CROWD
from ddfast.annotated.tables import codes

if TYPE_CHECKING:
    import pyarrow as pa

STATES = ("occluded", "outside", "keyframe")
"""Attributes of annotations that are attributes of the element of a shape."""

VISIBILITY = "visibility"
"""Attribute with the states of points, which CVAT does not have: ``"2,1,0"``."""

STATE_LIST = re.compile("[012](,[012])*")
WHOLE = re.compile(r"[+-]?\d{1,18}")
BOOLEANS = {"true": True, "false": False}


class TypedAttributes:
    """Turns the texts of attributes into the JSON text of their values, each combination once.

    Parameters:
        types: input type of each attribute, by label.
    """

    def __init__(self, types: Mapping[str, Mapping[str, str]]) -> None:
        self._types = types
        self._known: dict[Any, tuple[str | None, bool | None]] = {}

    def of(
        self, label: str, states: Sequence[tuple[str, bool]], texts: Sequence[tuple[str, str]]
    ) -> tuple[str | None, bool | None]:
        """The JSON text of attributes, and whether the annotation is a crowd (None: it does not say)."""
        key = (label, *states, *texts)
        found = self._known.get(key)
        if found is None:
            if len(self._known) > 1 << 16:
                self._known.clear()
            found = self._known[key] = self._typed(label, states, texts)
        return found

    def _typed(
        self, label: str, states: Iterable[tuple[str, bool]], texts: Iterable[tuple[str, str]]
    ) -> tuple[str | None, bool | None]:
        types = self._types.get(label, {})
        values: dict[str, Any] = dict(states)
        values.update((name, value_of(text, types.get(name))) for name, text in texts)
        crowd = None
        if str(values.get(CROWD)).lower() in BOOLEANS:
            crowd = BOOLEANS[str(values.pop(CROWD)).lower()]
        return (json.dumps(values, ensure_ascii=False) if values else None), crowd


def value_of(text: str, kind: str | None) -> Any:
    """The value of an attribute.

    Parameters:
        text: its text.
        kind: input type; None if the file does not say: only ``true`` and ``false`` are no text then.
    """
    if kind in ("checkbox", None):
        return BOOLEANS.get(text.lower(), text)
    if kind == "number":
        if WHOLE.fullmatch(text):
            return int(text)
        try:
            number = float(text)
        except ValueError:
            return text
        return number if number - number == 0 else text
    return text


def text_of(value: Any) -> str:
    """The text of a value."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def input_type(values: Iterable[Any]) -> str:
    """The input type with which texts of values are read back as these values."""
    kinds = {
        "checkbox" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"
        for value in values
        if value not in ("", None)
    }
    return kinds.pop() if len(kinds) == 1 else "text"


def is_outside(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Which annotations say that their object has left the frame."""
    numbers, texts = codes(table, "attributes")
    states = ['"outside"' in text and json.loads(text).get("outside") is True for text in texts]
    return np.array([*states, False], bool)[numbers]
