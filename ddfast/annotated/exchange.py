"""Reads and writes datasets in the format that their path or the user names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ddfast.annotated.format import NoOptions, make_options
from ddfast.annotated.output_folder import OutputFolder
from ddfast.annotated.registry import detect, detections, find_format
from ddfast.annotated.source_folder import SourceFolder
from ddfast.annotated.stored import read_stored, write_stored
from ddfast.errors import UnknownFormatError

if TYPE_CHECKING:
    from ddfast.annotated.report import Report
    from ddfast.annotated.tables import Tables

__all__ = ["STORED", "detections", "is_stored", "read", "write"]

STORED = "ddfast"
"""Name of the format of datasets in one file."""


def is_stored(path: str | os.PathLike[str], format: str | None) -> bool:
    """Whether a path names a dataset in one file: the format says so, or it ends with ``.msgpack``."""
    return format == STORED or (format is None and os.fspath(path).endswith(".msgpack"))


def read(
    path: str | os.PathLike[str], format: str | None, options: dict[str, Any], report: Report
) -> tuple[str, Tables]:
    """The name of the format, and the tables; parameters as `Dataset.import_from`."""
    if is_stored(path, format):
        _no_options(options)
        return STORED, _counted(read_stored(path), report)
    source = SourceFolder.of(path)
    chosen = detect(path) if format is None else find_format(format)
    if not chosen.can_read:
        raise UnknownFormatError(f"Format {chosen.name!r} can only be written")
    given = make_options(chosen.ReadOptions, options, f"Reading {chosen.name!r}")
    return chosen.name, _counted(chosen.read(source, given, report), report)


def _counted(tables: Tables, report: Report) -> Tables:
    report.counts["items"] = tables.items.num_rows
    report.counts["annotations"] = tables.annotations.num_rows
    return tables


def write(
    tables: Tables,
    target: str | os.PathLike[str],
    format: str | None,
    options: dict[str, Any],
    report: Report,
    *,
    media: bool | None,
    overwrite: bool,
    strict: bool,
) -> None:
    """Write tables; parameters as `Dataset.export`."""
    if is_stored(target, format):
        _no_options(options)
        write_stored(tables, target, report, media=media is not False, overwrite=overwrite)
        return
    if format is None:
        raise UnknownFormatError(f"Name the format of {os.fspath(target)} (format=..., --to ...)")
    chosen = find_format(format)
    if not chosen.can_write:
        raise UnknownFormatError(f"Format {chosen.name!r} can only be read")
    given = make_options(chosen.WriteOptions, options, f"Writing {chosen.name!r}")
    report.lose(chosen.losses(tables, given), chosen.name, strict)
    with OutputFolder(target, overwrite) as output:
        chosen.write(tables, output, given, report, bool(media))


def _no_options(options: dict[str, Any]) -> None:
    make_options(NoOptions, options, f"Format {STORED!r}")
