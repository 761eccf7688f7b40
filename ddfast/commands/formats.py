"""List the formats of annotated datasets, or explain one.

Without a name, all formats are listed, with what each can hold. With a name, the layout of its files and its
options are shown. `ddfast convert` converts between them.

Examples:
  ddfast formats
  ddfast formats coco
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import Any

from ddfast.annotated.format import Format
from ddfast.annotated.registry import find_format, format_names
from ddfast.commands import _run

ORDER = (
    "label",
    "bbox",
    "polygon",
    "mask",
    "points",
    "skeleton",
    "polyline",
    "caption",
    "cuboid_3d",
    "ellipse",
    "span",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="the format to explain (default: list all)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def main(args: argparse.Namespace) -> int:
    """Print formats. Returns the exit code."""
    formats = [find_format(name) for name in ([args.name] if args.name else format_names())]
    if args.json:
        _run.say(json.dumps([describe(one) for one in formats], indent=2))
    elif args.name:
        _run.say("\n".join(explained(formats[0])))
    else:
        _run.say("\n".join(listed(formats)))
    return 0


def listed(formats: list[Format]) -> Iterator[str]:
    """One line for each format."""
    width = max(len(one.name) for one in formats)
    for one in formats:
        ways = f"{'read' if one.can_read else '':<4} {'write' if one.can_write else '':<5}"
        yield f"{one.name:<{width}}  {ways}  {', '.join(types(one)) or 'images only'}"


def explained(one: Format) -> Iterator[str]:
    """A format with its layout and options."""
    yield f"{one.name}: {one.title}"
    yield f"holds: {', '.join(types(one)) or 'images only'}"
    if one.holds.fields:
        yield f"also: {', '.join(sorted(one.holds.fields))}"
    yield f"attributes: {_attributes(one.holds.attributes)}"
    if one.layout:
        yield f"\n{one.layout.rstrip()}"
    for verb, kind in (("reading", one.ReadOptions), ("writing", one.WriteOptions)):
        fields = dataclasses.fields(kind)
        if fields:
            yield f"\noptions of {verb}:"
            width = max(len(field.name) for field in fields)
            yield from (f"  {field.name:<{width}}  {field.metadata.get('help', '')}" for field in fields)


def describe(one: Format) -> dict[str, Any]:
    """A format for programs."""
    return {
        "name": one.name,
        "title": one.title,
        "reads": one.can_read,
        "writes": one.can_write,
        "types": types(one),
        "fields": sorted(one.holds.fields),
    }


def types(one: Format) -> list[str]:
    """Types of annotations that a format holds, the most usual first."""
    return [name for name in ORDER if name in one.holds.types]


def _attributes(names: bool | frozenset[str]) -> str:
    if isinstance(names, bool):
        return "any" if names else "none"
    return ", ".join(sorted(names))


def entry() -> None:
    """The console script ``ddfast-formats``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-formats"))


if __name__ == "__main__":
    entry()
