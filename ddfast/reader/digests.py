"""Comparison of datasets with their MD5 files."""

from __future__ import annotations

from pathlib import Path

from ddfast.dataset.location import is_remote, path_of, shown_name
from ddfast.errors import UnsupportedIOError
from ddfast.format.digests import load_digests
from ddfast.format.files import SUFFIX_MD5, SUFFIXES, UNLISTED, path_append
from ddfast.tools import hash_md5hex

__all__ = ["verify_data", "verify_index"]


def path_to_hash(name: str) -> Path:
    """The path of a file.

    Raises:
        UnsupportedIOError: it is a URL, except for a ``file:`` URL.
    """
    if is_remote(name):
        raise UnsupportedIOError(
            f"{shown_name(name)} is not a local file; use `ddfast verify` to check files under a URL"
        )
    return Path(path_of(name))


def verify_data(name: str, read_size: int, progress: bool) -> bool:
    """Whether the hash of a data file matches its md5 file."""
    path = path_to_hash(name)
    return load_digests(path).get("") == hash_md5hex(path, read_size, progress)


def verify_index(name: str, read_size: int, progress: bool) -> bool:
    """Whether all index files that exist, and all that the md5 file lists, match the md5 file."""
    path = path_to_hash(name)
    listed = load_digests(path)
    files = {suffix: path_append(path, suffix) for suffix in SUFFIXES if suffix != SUFFIX_MD5}
    wanted = {
        suffix: file
        for suffix, file in files.items()
        if suffix in listed or (suffix not in UNLISTED and file.exists())
    }
    return all(
        file.exists() and listed.get(suffix) == hash_md5hex(file, read_size, progress)
        for suffix, file in wanted.items()
    )
