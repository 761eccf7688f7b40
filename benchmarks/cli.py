"""Functions of all benchmark commands: checked options, and result files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def positive(kind: type) -> Any:
    """A parser of numbers above 0."""

    def parse(text: str) -> Any:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    parse.__name__ = "number"
    return parse


def add_choice(parser: argparse.ArgumentParser, option: str, names: Sequence[str], what: str) -> None:
    """An option that accepts some of the names; the default is all."""
    parser.add_argument(
        option, nargs="+", choices=names, default=names, metavar="NAME", help=f"{what} (default: all)"
    )


def write_json(path: Path | None, document: Mapping[str, Any]) -> None:
    """Replace a JSON file at once, if a path is given, so that an interrupted run leaves the previous one."""
    if path:
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(document, indent=2) + "\n")
        part.replace(path)
