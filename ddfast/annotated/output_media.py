"""Writes the images of items into folders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ddfast.annotated.media_reader import MediaReader
from ddfast.annotated.paths import image_extension

if TYPE_CHECKING:
    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.annotated.tables import Tables


def file_names(tables: Tables, extension: str = "") -> list[str]:
    """The name of the image file of each item: its id and the extension of its image.

    Parameters:
        tables: of the items.
        extension: of images that have none; ``.jpg`` by default.
    """
    items = tables.items
    ids: list[str] = items.column("id").to_pylist() if items.num_rows else []
    if "path" not in items.column_names:
        return [name + _own_extension(tables, row, extension) for row, name in enumerate(ids)]
    paths = items.column("path").to_pylist()
    return [
        name + (image_extension(path or "") or _own_extension(tables, row, extension))
        for row, (name, path) in enumerate(zip(ids, paths, strict=True))
    ]


def _own_extension(tables: Tables, row: int, extension: str) -> str:
    if row in tables.media:
        return extension or tables.media[row].ext or ".png"
    return extension or ".jpg"


def save_images(
    tables: Tables, rows: Iterable[int], names: Iterable[str], output: OutputFolder, report: Report
) -> None:
    """Write the images of items as they are; items without an image are left out.

    Parameters:
        tables: of the items.
        rows: of the items.
        names: relative path of the file of each.
        output: the folder.
        report: counts the images.
    """
    reader = MediaReader(tables)
    total = tables.items.num_rows
    for done, (row, name) in enumerate(zip(rows, names, strict=True), 1):
        content = reader.read(row)
        if content is not None:
            output.write(name, content)
        report.advance(done, total)
    report.counts["images"] += reader.count
