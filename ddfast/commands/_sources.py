"""What ``ddfast-bench`` can read besides datasets: folders, lists of files and ZIP files."""

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
    """How files are found; all as for `ddfast.reader.DirectoryReader`.

    Parameters:
        separator: between the columns of a list of files.
        root_dir: folder that the paths of such a list start from; not for ZIP files.
        include: patterns of files to read.
        exclude: patterns of files to leave out.
    """

    separator: str = "\t"
    root_dir: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def is_dataset(path: Path) -> bool:
    """Whether a path is meant to be a data file: by its name, or because an index lies beside it."""
    if not path.name:  # a folder such as "."
        return False
    indexes = (path_append(path, suffix) for suffix in (".offsets", ".index"))
    return path.suffix == ".msgpack" or any(index.exists() for index in indexes)


def open_files(path: Path, options: FileOptions) -> Reader:
    """A reader of the files in a folder, or in a ZIP file.

    Parameters:
        path: a ZIP file, a glob pattern such as ``dir/{LABEL}/**``, or a text file with a list of files.
        options: how files are found.

    Raises:
        FileNotFoundError: there are no such files.
    """
    found: dict[str, Any] = {
        "include": options.include,
        "exclude": options.exclude,
        "separator": options.separator,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are no files is an error here
        if path.suffix == ZIP:
            opened: Reader = ZipFileReader(path, **found)
        else:
            opened = DirectoryReader(str(path), root_dir=options.root_dir, **found)
    if len(opened) == 0:
        raise FileNotFoundError(f"{path} stands for no files. Give a pattern such as 'photos/{{LABEL}}/**'")
    return opened
