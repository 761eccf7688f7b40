"""Sources of YOLO datasets for tests: texts and images at paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

SIZE = (80, 60)
"""Width and height of the images."""


def make(folder: Path, files: Mapping[str, str | bytes | tuple[int, int]]) -> Path:
    """Write files: texts, bytes, or images of a width and height."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, tuple):
            Image.new("L", content).save(path)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8", newline="")
    return folder


def lines(path: Path) -> list[list[float]]:
    """The numbers in a label file."""
    return [[float(token) for token in line.split()] for line in path.read_text().splitlines()]
