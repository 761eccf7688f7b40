"""Datasets held against their MD5 files."""

from __future__ import annotations

from pathlib import Path

from ddfast.files import SUFFIX_MD5, SUFFIXES, UNLISTED, path_append
from ddfast.tools import hash_md5hex, load_md5file

__all__ = ["verify_data", "verify_index"]


def verify_data(path: Path, read_size: int, progress: bool) -> bool:
    """Whether a data file has the hash in its md5 file."""
    return load_md5file(path_append(path, SUFFIX_MD5)).get(path.name) == hash_md5hex(
        path, read_size, progress
    )


def verify_index(path: Path, read_size: int, progress: bool) -> bool:
    """Whether all index files of a data file, and all that its md5 file lists, have the hash in it."""
    hashes = load_md5file(path_append(path, SUFFIX_MD5))
    names = {suffix: path_append(path, suffix) for suffix in SUFFIXES if suffix != SUFFIX_MD5}
    wanted = [
        name
        for suffix, name in names.items()
        if name.name in hashes or (suffix not in UNLISTED and name.exists())
    ]
    return all(
        name.exists() and hashes.get(name.name) == hash_md5hex(name, read_size, progress) for name in wanted
    )
