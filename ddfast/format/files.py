"""The files of a dataset: their names, and how index files are mapped."""

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

# Of all files that a data file may have.
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
    """Append to the last part of a path: ``data/train`` and ``.md5`` give ``data/train.md5``.

    Raises:
        ValueError: the path has no last part, such as ``/``.
    """
    path = Path(path)
    return path.with_name(f"{path.name}{string}")


def path_append_suffix(path: str | os.PathLike[str], suffix: str) -> Path:
    """Append a suffix to a path that does not end with it.

    A suffix without a dot is not a suffix to `pathlib`, so it is always appended.
    """
    path = Path(path)
    return path if path.suffix == suffix else path_append(path, suffix)


def hidden_path(path: Path, suffix: str) -> Path:
    """The hidden name in the same folder that a file has until it is complete."""
    name = path.name
    encoded = os.fsencode(name)
    if len(encoded) > 200:  # file systems allow 255
        from xxhash import xxh3_64_hexdigest  # readers rarely need it

        name = f"{name[:32]}-{xxh3_64_hexdigest(encoded)}"
    return path.with_name(f".{name}{suffix}")


def real_path(path: Path) -> Path:
    """The data file itself, if the dataset's name is a symbolic link."""
    return Path(os.path.realpath(path))


def journal_path(path: Path) -> Path:
    """The journal of a dataset."""
    return hidden_path(real_path(path), ".journal")


def draft_path(path: Path) -> Path:
    """The draft of a dataset: its data file until the dataset is complete."""
    return hidden_path(real_path(path), ".draft")


def map_file(path: Path) -> mmap.mmap | bytes:
    """The content of a file as read-only memory. If the file system permits, pages are read when they are first used.

    The mapping and its file descriptor are released with the last reference.
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
    """The error for a damaged index file of `size` bytes."""
    return IndexFileError(f"{path} ({size:,} bytes) is damaged: {reason}. {remedy}")
