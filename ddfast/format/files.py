"""The files of a dataset: what they are called, and how those of the index are opened."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

from ddfast.errors import IndexFileError

SUFFIX_LEGACY_INDEX = ".index"
SUFFIX_KEYS = ".keys"
SUFFIX_KEY_HASHES = ".key_hashes"
SUFFIX_FILTER = ".filter"
SUFFIX_OFFSETS = ".offsets"
SUFFIX_MD5 = ".md5"
SUFFIX_CHECKSUMS = ".xxh3"

# Of all files that may lie beside a data file.
SUFFIXES = (
    SUFFIX_OFFSETS,
    SUFFIX_KEYS,
    SUFFIX_KEY_HASHES,
    SUFFIX_FILTER,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_MD5,
    SUFFIX_CHECKSUMS,
)

# Files that the MD5 file does not list.
UNLISTED = {SUFFIX_MD5, SUFFIX_CHECKSUMS}

RESTORE = "Restore it from a copy, or write the dataset again."


def path_append(path: str | os.PathLike[str], string: str) -> Path:
    """Lengthen the last part of a path: ``data/train`` and ``.md5`` give ``data/train.md5``.

    Raises:
        ValueError: the path has no last part, such as ``/``.
    """
    path = Path(path)
    return path.with_name(f"{path.name}{string}")


def path_append_suffix(path: str | os.PathLike[str], suffix: str) -> Path:
    """Give a path a suffix unless it has just that one already.

    A suffix without a dot is never what `pathlib` calls a suffix, so it is appended in any case.
    """
    path = Path(path)
    return path if path.suffix == suffix else path_append(path, suffix)


def map_file(path: Path) -> mmap.mmap | bytes:
    """Content of a file as read-only memory; pages are read when they are first used, where the file system allows.

    The mapping goes, and its file descriptor with it, when nothing refers to it any more.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return b""  # cannot be mapped
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.EINVAL):
                raise
            return file.read()  # some network file systems map nothing


def damaged(path: Path | str, size: int, reason: str, remedy: str = RESTORE) -> IndexFileError:
    """The error for an index file of `size` bytes that cannot be used."""
    return IndexFileError(f"{path} ({size:,} bytes) is damaged: {reason}. {remedy}")
