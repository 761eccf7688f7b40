r"""Attributes of LabelMe's objects: text such as ``colour=red, count=3, parked, name="12"``.

Commas, equals signs, quotes and backslashes in names and values stand behind a backslash, as Datumaro writes them.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

__all__ = ["attributes_in", "attributes_line"]

ESCAPED = re.compile(r'[\\=",]')
PIECE = re.compile(r"(?:\\.|[^\\,])+", re.DOTALL)
PART = re.compile(r"((?:\\.|[^\\=])*)=(.*)", re.DOTALL)
UNESCAPED = re.compile(r'\\([\\=",])')
# What a reader takes for something else than text, unless it is in quotes.
SPECIAL = re.compile(r'true|false|".*"|\s.*|.*\s|', re.IGNORECASE | re.DOTALL)


def attributes_in(text: str) -> dict[str, Any]:
    """The attributes of a text. Numbers and true and false are such; names without a value are True."""
    found: dict[str, Any] = {}
    for piece in PIECE.findall(text):
        match = PART.fullmatch(piece.strip())
        if match:
            found[_plain(match[1].strip())] = _value(match[2].strip())
        elif piece.strip():
            found[_plain(piece.strip())] = True
    return found


def _plain(text: str) -> str:
    return UNESCAPED.sub(r"\1", text)


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if len(text) > 1 and text[0] == text[-1] == '"' and not _is_escaped_end(text):
        return _plain(text[1:-1])
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text and isfinite(number):
            return number
    return _plain(text)


def _is_escaped_end(text: str) -> bool:
    r"""Whether the last quote is one of the text: ``\"``."""
    body = text[:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def attributes_line(attributes: dict[str, Any]) -> str:
    """The text of attributes."""
    return ", ".join(f"{_escape(name)}={_written(value)}" for name, value in attributes.items())


def _escape(text: str) -> str:
    return ESCAPED.sub(r"\\\g<0>", text)


def _written(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    if not isinstance(value, str):
        return _escape(json.dumps(value, ensure_ascii=False))
    text = _escape(value)
    if SPECIAL.fullmatch(text) or (text == value and not isinstance(_value(text), str)):
        return f'"{text}"'
    return text
