"""Attributes of objects as text in annotation files: flags, actions, and values with their types."""

from __future__ import annotations

import json
import re
from typing import Any

from ddfast.formats.xml import escaped

WORDS = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False, "": False}
INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
REAL = re.compile(r"-?\d[\d.]*(e[+-]?\d+)?")
TAG = re.compile(r"[^\W\d][\w.-]*")


def flag(text: str | None) -> bool | None:
    """The value of an element such as ``<difficult>``; None if it is neither yes nor no."""
    return WORDS.get((text or "").strip().lower())


def typed(text: str, kind: str | None = None) -> Any:
    """The value of an attribute.

    Parameters:
        text: of the element.
        kind: what its attribute ``type`` says: string, null or json; None to guess a bool, a number or a string.

    Raises:
        ValueError: it is not JSON, though ``kind`` says so.
    """
    if kind == "string":
        return text
    if kind == "null":
        return None
    if kind == "json":
        return json.loads(text)
    word = text.strip()
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    if INTEGER.fullmatch(word):
        return int(word)
    if REAL.fullmatch(word):
        try:
            return float(word) if repr(float(word)) == word else word
        except ValueError:
            return word
    return word


def attribute_element(name: str, value: Any) -> str:
    """The element of an attribute; its value is read by `typed`.

    Raises:
        FormatError: XML cannot hold a character of the name or value.
    """
    kind = ""
    if isinstance(value, str):
        text = value
        kind = "" if typed(value) == value and isinstance(typed(value), str) else "string"
    elif value is None:
        text, kind = "", "null"
    elif isinstance(value, bool | int | float):
        text = str(value)
        guessed = typed(text)
        kind = "" if type(guessed) is type(value) else "json"
    else:
        text, kind = json.dumps(value, ensure_ascii=False), "json"
    mark = f' type="{kind}"' if kind else ""
    return (
        f"<attribute><name>{escaped(name, 'attribute')}</name>"
        f"<value{mark}>{escaped(text, f'attribute {name!r}')}</value></attribute>"
    )


def tag_of(action: str) -> str | None:
    """The name of the element of an action; None if there is none, since it has characters that XML does not allow."""
    tag = action.replace(" ", "_")
    if tag[:1].isdigit():
        tag = f"_{tag}"
    return tag if TAG.fullmatch(tag) else None
