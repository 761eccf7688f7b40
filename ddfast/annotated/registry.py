"""Finds formats by name, and the format of a folder."""

from __future__ import annotations

import difflib
import os
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from ddfast.annotated.source_folder import SourceFolder
from ddfast.errors import FormatDetectionError, UnknownFormatError

if TYPE_CHECKING:
    from ddfast.annotated.format import Detection, Format

ENTRY_POINTS = "ddfast.formats"
"""Group of entry points by which other packages add formats: ``name = "package.module:Class"``."""


def format_names() -> list[str]:
    """Names of all formats, those of plugins included, sorted."""
    return sorted({*_builtin(), *(point.name for point in entry_points(group=ENTRY_POINTS))})


def find_format(name: str) -> Format:
    """The format of a name.

    Raises:
        UnknownFormatError: there is none.
    """
    if name in _builtin():
        module, _, attribute = _builtin()[name].partition(":")
        found: Any = getattr(import_module(module), attribute)
    else:
        found = next((point.load() for point in entry_points(group=ENTRY_POINTS, name=name)), None)
    if found is None:
        near = difflib.get_close_matches(name, format_names(), 3)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "`ddfast formats` lists all"
        raise UnknownFormatError(f"There is no format {name!r}. {hint}")
    return found()  # type: ignore[no-any-return]


def detections(path: str | os.PathLike[str]) -> list[Detection]:
    """What each format that recognises ``path`` says about it, the surest first.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
    """
    source = SourceFolder.of(path)
    found = [find_format(name).detect(source) for name in format_names()]
    return sorted(filter(None, found), key=lambda one: -one.confidence)


def detect(path: str | os.PathLike[str]) -> Format:
    """The format of a folder or file.

    Raises:
        FormatDetectionError: no format recognises it, or several do equally well; the message lists them with reasons.
    """
    found = detections(path)
    if not found:
        raise FormatDetectionError(
            f"No format recognises {os.fspath(path)}. Name it (format=..., --from ...); `ddfast formats` lists all"
        )
    best = [one for one in found if one.confidence == found[0].confidence]
    if len(best) > 1:
        listed = "; ".join(f"{one.format}: {one.reason}" for one in best)
        raise FormatDetectionError(
            f"{os.fspath(path)} can be read in {len(best)} formats ({listed}). Name one (format=..., --from ...)"
        )
    return find_format(best[0].format)


def _builtin() -> dict[str, str]:
    table: dict[str, str] = import_module("ddfast.formats.builtin").FORMATS
    return table
