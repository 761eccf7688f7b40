"""Upload of the index files that a command has made for a dataset under a URL."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ddfast.commands._places import Options, StrPath, is_remote
from ddfast.errors import UnsupportedIOError
from ddfast.index import SUFFIX_OFFSETS
from ddfast.storage import ObjectGroup, open_group

__all__ = ["objects_of", "upload"]


def objects_of(source: StrPath, options: Options) -> ObjectGroup | None:
    """The objects of a dataset under a URL, where index files can be written; None for a path.

    Raises:
        UnsupportedIOError: nothing can be written there: a web server, or an archive.
    """
    if not is_remote(source):
        return None
    try:
        return open_group(os.fspath(source), **(options or {}))
    except UnsupportedIOError as error:
        advice = "Copy the files of the dataset to a disk, and run the command on the copy"
        raise UnsupportedIOError(f"{error}. {advice}") from None


def upload(objects: ObjectGroup, base: Path, files: Sequence[Path]) -> None:
    """Upload index files. There are no offsets meanwhile, so no reader finds old files among new ones.

    Parameters:
        objects: of the dataset.
        base: the path whose name with a suffix is that of an index file.
        files: the index files.

    Raises:
        StorageError: the store refuses a file.
    """
    suffixes = {file.name.removeprefix(base.name): file for file in files}
    if SUFFIX_OFFSETS in suffixes:
        objects.remove(SUFFIX_OFFSETS)
        suffixes[SUFFIX_OFFSETS] = suffixes.pop(SUFFIX_OFFSETS)  # the last one
    for suffix, file in suffixes.items():
        objects.put(suffix, file)
