"""Sizes of images that are listed in a file: a name, height and width in each line."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddfast.annotated.report import Report

__all__ = ["SIZES_FILE", "Size", "read_sizes", "sizes_text"]

SIZES_FILE = "images.meta"
"""Name of the file in a folder, as Datumaro has it."""

SIGNS = set("'\"\\#")
"""Characters that mean something in a shell; lines without them are read without `shlex`, which is slow."""

Size = tuple[int, int]
"""Height and width."""


def read_sizes(text: str, file: object, report: Report) -> dict[str, Size]:
    """Height and width by name.

    Parameters:
        text: lines ``name height width``, with quotes and comments as in a shell; more fields are ignored.
        file: what problems name.
        report: for lines that make no sense.
    """
    sizes = {}
    for number, line in enumerate(text.split("\n"), 1):
        try:
            fields = shlex.split(line, comments=True) if SIGNS & set(line) else line.split()
            if fields:
                name, height, width = fields[:3]
                sizes[name] = (positive(height), positive(width))
        except ValueError:
            report.problem(f"{line!r} is not a name, a height and a width", file, f"line {number}")
    return sizes


def positive(text: str) -> int:
    """A number of pixels.

    Raises:
        ValueError: it is none.
    """
    number = int(text)
    if not 0 < number < 2**31:
        raise ValueError(text)
    return number


def sizes_text(sizes: Iterable[tuple[str, Size]]) -> str:
    """The text of such a file."""
    lines = [f"{shlex.quote(name)} {height} {width}\n" for name, (height, width) in sizes]
    return "".join(["# <image name> <height> <width>\n\n", *lines])
