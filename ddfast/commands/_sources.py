"""Sources for ``ddfast-bench`` other than datasets: folders, lists of files and ZIP files."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddfast.reader import DirectoryReader, Reader, ZipFileReader
from ddfast.tools import path_append

ZIP = ".zip"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How to find files; see `ddfast.reader.DirectoryReader`.

    Parameters:
        separator: separator of the columns in a list of files.
        root_dir: folder that paths in a list of files are relative to; not for ZIP files.
        include: patterns of files to read.
        exclude: patterns of files to skip.
    """

    separator: str = "\t"
    root_dir: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def is_dataset(path: Path) -> bool:
    """Whether a path is a data file, according to its name or an existing index."""
    if not path.name:  # a folder such as "."
        return False
    indexes = (path_append(path, suffix) for suffix in (".offsets", ".index"))
    return path.suffix == ".msgpack" or any(index.exists() for index in indexes)


def open_files(path: Path, options: FileOptions) -> Reader:
    """A reader of the files in a folder, or in a ZIP file.

    Parameters:
        path: a ZIP file, a glob pattern such as ``dir/{LABEL}/**``, or a text file with a list of files.
        options: how to find files.

    Raises:
        FileNotFoundError: no file matches.
    """
    found: dict[str, Any] = {
        "include": options.include,
        "exclude": options.exclude,
        "separator": options.separator,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pattern without files is an error here
        if path.suffix == ZIP:
            opened: Reader = ZipFileReader(path, **found)
        else:
            opened = DirectoryReader(str(path), root_dir=options.root_dir, **found)
    if len(opened) == 0:
        raise FileNotFoundError(f"{path} matches no files. Use a pattern such as 'photos/{{LABEL}}/**'")
    return opened
