"""The files of a dataset: their names, and how they are opened."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path

from ddfast._native.content import failed_to_open
from ddfast.errors import IndexFileError

SUFFIX_LEGACY_INDEX = ".index"
SUFFIX_KEYS = ".keys"
SUFFIX_KEY_HASHES = ".key_hashes"
SUFFIX_FILTER = ".filter"
SUFFIX_OFFSETS = ".offsets"
SUFFIX_MD5 = ".md5"
SUFFIX_CHECKSUMS = ".xxh3"
SUFFIX_META = ".meta"
SUFFIX_TABLE = ".table"

# Of all files that a data file may have.
SUFFIXES = (
    SUFFIX_OFFSETS,
    SUFFIX_KEYS,
    SUFFIX_KEY_HASHES,
    SUFFIX_FILTER,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_MD5,
    SUFFIX_CHECKSUMS,
    SUFFIX_META,
    SUFFIX_TABLE,
)

# Files that the MD5 file does not list.
UNLISTED = {SUFFIX_MD5, SUFFIX_CHECKSUMS, SUFFIX_META, SUFFIX_TABLE}

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


def open_file(path: str | os.PathLike[str]) -> FileIO:
    """Open a file of a dataset for reading, without a buffer. Does not wait for the other end of a pipe.

    Raises:
        ReadError: it is a pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(mode):
            raise failed_to_open(path, errno.EINVAL)
        os.set_blocking(descriptor, True)
        return FileIO(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def damaged(path: Path | str, size: int, reason: str, remedy: str = RESTORE) -> IndexFileError:
    """The error for a damaged index file of `size` bytes."""
    return IndexFileError(f"{path} ({size:,} bytes) is damaged: {reason}. {remedy}")
