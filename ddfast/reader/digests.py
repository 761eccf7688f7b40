"""Datasets held against their MD5 files."""

from __future__ import annotations

from pathlib import Path

from ddfast.dataset.location import is_remote, path_of, shown_name
from ddfast.errors import UnsupportedIOError
from ddfast.format.files import SUFFIX_MD5, SUFFIXES, UNLISTED, path_append
from ddfast.tools import hash_md5hex, load_md5file

__all__ = ["verify_data", "verify_index"]


def path_to_hash(name: str) -> Path:
    """The path of a file.

    Raises:
        UnsupportedIOError: it is a URL, other than one of a file.
    """
    if is_remote(name):
        raise UnsupportedIOError(
            f"{shown_name(name)} is no file: `ddfast verify` looks at the digests of what is under a URL"
        )
    return Path(path_of(name))


def verify_data(name: str, read_size: int, progress: bool) -> bool:
    """Whether a data file has the hash in its md5 file."""
    path = path_to_hash(name)
    return load_md5file(path_append(path, SUFFIX_MD5)).get(path.name) == hash_md5hex(
        path, read_size, progress
    )


def verify_index(name: str, read_size: int, progress: bool) -> bool:
    """Whether all index files of a data file, and all that its md5 file lists, have the hash in it."""
    path = path_to_hash(name)
    hashes = load_md5file(path_append(path, SUFFIX_MD5))
    files = {suffix: path_append(path, suffix) for suffix in SUFFIXES if suffix != SUFFIX_MD5}
    wanted = [
        file
        for suffix, file in files.items()
        if file.name in hashes or (suffix not in UNLISTED and file.exists())
    ]
    return all(
        file.exists() and hashes.get(file.name) == hash_md5hex(file, read_size, progress) for file in wanted
    )
