"""Writes tables as Datumaro's annotation files."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ddfast.annotated.json_values import record_texts, states, text_column
from ddfast.annotated.output_media import file_names, save_images
from ddfast.annotated.tables import Tables, codes, integers
from ddfast.formats.datumaro.categories import to_form
from ddfast.formats.datumaro.reading import FOLDERS
from ddfast.formats.datumaro.texts import annotations_of_items
from ddfast.tools.json_columns import MISSING, PRESENT, JSONColumn, JSONRecords, json_column

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.output_folder import OutputFolder
    from ddfast.annotated.report import Report
    from ddfast.formats.datumaro.options import DatumaroWriteOptions

# Items that are turned into text at a time.
BLOCK = 4096

# Numbers of kinds of media in Datumaro's files; several kinds are any media.
MEDIA_TYPES = {"image": 2, "video": 5, "point_cloud": 6}
ANY_MEDIA = 1


def write(
    tables: Tables, output: OutputFolder, options: DatumaroWriteOptions, report: Report, media: bool
) -> None:
    """Write a file for each subset, and the media."""
    if options.only_annotated:
        tables = tables.take_items(_annotated(tables))
    names = media_names(tables, options.image_ext)
    kinds, kind_names = codes(tables.items, "kind")
    numbers, subsets = codes(tables.items, "subset")
    report.counts["items"] += tables.items.num_rows
    report.counts["annotations"] += tables.annotations.num_rows
    for code, subset in enumerate(subsets):
        rows = np.flatnonzero(numbers == code)
        if not len(rows):
            continue
        part = tables if len(rows) == tables.items.num_rows else tables.take_items(rows)
        own = [names[row] for row in rows.tolist()]
        with output.open(f"annotations/{subset}.json") as file:
            _write_file(file, part, own, report)
        if media:
            folders = [FOLDERS[kind_names[kind]] if kind >= 0 else "" for kind in kinds[rows].tolist()]
            files = [f"{folder}/{subset}/{name}" for folder, name in zip(folders, own, strict=True)]
            save_images(tables, rows.tolist(), files, output, report)


def _annotated(tables: Tables) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Items that have annotations or a status."""
    status, _ = codes(tables.items, "status")
    return np.flatnonzero((np.diff(tables.starts) > 0) | (status >= 0))


def media_names(tables: Tables, extension: str) -> list[str]:
    """The name of the file of each item: its id and the extension of its media."""
    kinds, names = codes(tables.items, "kind")
    found = file_names(tables, extension)
    if set(names) <= {"image"}:
        return found
    ids = tables.items.column("id").to_pylist()
    paths = (
        tables.items.column("path").to_pylist() if "path" in tables.items.column_names else [None] * len(ids)
    )
    for row, kind in enumerate(kinds.tolist()):
        if kind >= 0 and names[kind] != "image":
            found[row] = ids[row] + posixpath.splitext(paths[row] or "")[1]
    return found


def _write_file(file: BinaryIO, tables: Tables, names: list[str], report: Report) -> None:
    head = {"dm_format_version": "1.0", "media_type": _media_type(tables.items), "infos": {}}
    categories = json.dumps(to_form(tables.categories), ensure_ascii=False)
    file.write(f'{json.dumps(head)[:-1]},\n"categories": {categories},\n"items": [\n'.encode())
    for first, stop in tables.blocks(BLOCK):
        file.write(b",\n" if first else b"")
        file.writelines(_items(tables, first, stop, names[first:stop]))
        report.advance(stop, tables.items.num_rows)
    file.write(b"\n]}\n")


def _media_type(items: pa.Table) -> int:
    numbers, names = codes(items, "kind")
    kinds = {names[number] for number in set(numbers.tolist()) if number >= 0}
    return MEDIA_TYPES[kinds.pop() if kinds else "image"] if len(kinds) < 2 else ANY_MEDIA


def _items(tables: Tables, first: int, stop: int, names: list[str]) -> JSONRecords:
    """The records of the items ``[first, stop)``."""
    block = tables.items.slice(first, stop - first)
    columns: dict[str, JSONColumn | bytes] = {
        "id": text_column("string", block.column("id")),
        "annotations": annotations_of_items(tables, first, stop),
    }
    if "attributes" in block.column_names:
        columns["attr"] = text_column("raw", block.column("attributes"))
    columns |= _media(block, names)
    if "status" in block.column_names:
        columns["status"] = text_column("string", block.column("status").unify_dictionaries())
    return JSONRecords(columns, stop - first, short=True)


def _media(block: pa.Table, names: list[str]) -> dict[str, JSONColumn | bytes]:
    """Path, and size where it is known, of the media of items."""
    import pyarrow as pa

    size = np.stack([integers(block, name, 0) for name in ("height", "width")], axis=1)
    members: dict[str, JSONColumn | bytes] = {
        "path": text_column("string", pa.array(names, pa.string())),
        "size": json_column(
            "numbers", size.astype(np.float64).reshape(-1), offsets=np.arange(0, size.size + 1, 2),
            states=states(np.all(size > 0, axis=1)),
        ),
    }  # fmt: skip
    text, places = record_texts(members, block.num_rows)
    kinds, known = codes(block, "kind")
    return {
        kind: json_column(
            "raw", text, offsets=places, states=np.where(kinds == code, PRESENT, MISSING).astype(np.uint8)
        )
        for code, kind in enumerate(known)
    }
