"""Columns of tables as columns of JSON records, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ddfast.annotated.json_values import states, text_column
from ddfast.annotated.tables import codes, floats, lists
from ddfast.formats.coco.ids import is_unicode
from ddfast.tools.json_columns import JSONColumn, json_column

if TYPE_CHECKING:
    import pyarrow as pa


LARGEST = 1e300
"""Numbers of attributes below this are scores."""


def boxes_column(block: pa.Table) -> JSONColumn:
    """The boxes of some annotations."""
    box = np.stack([floats(block, name) for name in ("x", "y", "width", "height")], axis=1)
    present = states(~np.isnan(box[:, 0]))
    return json_column("numbers", box.reshape(-1), offsets=np.arange(0, box.size + 1, 4), states=present)


def keypoint_columns(block: pa.Table) -> dict[str, JSONColumn | bytes]:
    """Points as x, y, visibility, and how many are visible or hidden."""
    values = lists(block, "points")[0]
    visibility, starts = lists(block, "visibility")
    triples = np.concatenate([values.reshape(-1, 2), visibility.astype(np.float64)[:, None]], axis=1)
    shown = np.concatenate([[0], np.cumsum(visibility > 0)])
    return {
        "keypoints": json_column("numbers", triples.reshape(-1), offsets=starts * 3),
        "num_keypoints": json_column("int", shown[starts[1:]] - shown[starts[:-1]]),
    }


def json_text(value: Any) -> str:
    """A value as JSON; ASCII where it contains half of a surrogate pair, which UTF-8 has no bytes for."""
    text = json.dumps(value, ensure_ascii=False)
    return text if is_unicode(text) else json.dumps(value)


def scores_and_attributes(block: pa.Table) -> tuple[npt.NDArray[np.float64], list[str | None]]:
    """The score of each annotation, NaN for none, and its other attributes as JSON.

    An attribute ``score``, as Datumaro has it, is the score where there is no other.
    """
    scores = floats(block, "score").copy()
    numbers, texts = codes(block, "attributes")
    attributes = [texts[number] if number >= 0 else None for number in numbers.tolist()]
    for number, text in enumerate(texts):
        form = json.loads(text) if '"score"' in text else {}
        score = form.pop("score", None)
        if type(score) in (int, float) and abs(score) < LARGEST:
            rows = np.flatnonzero((numbers == number) & np.isnan(scores))
            scores[rows] = score
            for row in rows.tolist():
                attributes[row] = json_text(form) if form else None
    return scores, attributes


def bytes_column(kind: Literal["string", "raw"], texts: Sequence[str | None]) -> JSONColumn:
    """A column of texts (``"string"``) or of JSON values as text (``"raw"``); None for none."""
    import pyarrow as pa

    return text_column(kind, pa.array(texts, pa.string()))
