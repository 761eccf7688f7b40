"""Names that a dataset can have: those of all its files must be possible, too."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath

from ddfast._util.paths import absolute
from ddfast.format.files import SUFFIXES, draft_path, hidden_path, path_append, real_path
from ddfast.storage.urls import is_object, shown, split_url

# Errors of file systems that cannot have a file of a name.
IMPOSSIBLE = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}

# Maximum size of the key of an object: of S3 and Google Cloud Storage in bytes, of Azure in characters.
OBJECT_KEY_BYTES = 1024
LONGEST = max(SUFFIXES, key=len)


def check_path(outfile: str | os.PathLike[str]) -> Path:
    """Check that a dataset can have a name, and create its folder.

    Returns:
        The absolute path.

    Raises:
        IsADirectoryError: a folder has the name.
        ValueError: an index file would have the name of the data file, or it is a link to another dataset, or is not
            UTF-8.
        OSError: the folder cannot be created, or the file system cannot have a file of the dataset, for example because
            its name is too long.
    """
    path = Path(absolute(outfile))
    check_text(path.name, repr(os.fsencode(path)))
    if path.suffix in SUFFIXES:
        raise ValueError(f"{path} has the name of an index file. Give the data file another suffix")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Give the path of a file in it")
    _check_files(path)
    real = real_path(path)
    if real.name != path.name and any(path_append(real, suffix).exists() for suffix in SUFFIXES):
        raise ValueError(
            f"{path} is a link to {real}, which has its own index: writing through the link would leave {real} with a "
            f"wrong index. Write to {real}, or remove the link"
        )
    return path


def check_url(url: str) -> str:
    """Check that a dataset can have a URL.

    Returns:
        The last part of the URL.

    Raises:
        ValueError: it has no name or the name of an index file, or is not UTF-8, or is too long for an object store.
    """
    key = split_url(url).key
    name = PurePosixPath(key).name
    if not name or key.endswith("/"):
        raise ValueError(f"{shown(url)} has no name for the data file. Append a name to the URL")
    check_text(key, ascii(shown(url)))
    if PurePosixPath(name).suffix in SUFFIXES:
        raise ValueError(f"{shown(url)} has the name of an index file. Give the data file another suffix")
    size = len(key.encode()) + len(LONGEST)
    if is_object(url) and size > OBJECT_KEY_BYTES:
        raise ValueError(
            f"{shown(url)} is too long: the names of its index files have up to {size:,} bytes, and object stores "
            f"allow {OBJECT_KEY_BYTES:,}. Use a shorter name"
        )
    return name


def check_text(name: str, where: str) -> None:
    """Raise ValueError if a name is not UTF-8, as the MD5 file is."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where} is not UTF-8, so the MD5 file cannot list it. Use another name") from None


def _check_files(path: Path) -> None:
    """Raise OSError if the file system cannot have one of the files of a dataset, complete or not."""
    hidden = hidden_path(path, ".draft")
    names = [path_append(name, suffix) for name in (path, hidden) for suffix in SUFFIXES]
    for name in [*names, draft_path(path)]:
        try:
            name.lstat()
        except OSError as error:
            if error.errno in IMPOSSIBLE:
                reason = (
                    f"{error.strerror}: the dataset could not have the file {name.name}. Use another name"
                )
                raise OSError(error.errno, reason, str(path)) from None
