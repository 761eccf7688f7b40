"""Digests of files and keys."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ddfast.format.files import open_file


def hash_md5hex(path: str | os.PathLike[str], read_size: int = 64 * 1024, progress: bool = False) -> str:
    """MD5 of a file, in hexadecimal digits.

    Parameters:
        path: the file.
        read_size: bytes per read.
        progress: show the progress.
    """
    from ddfast.tools.progress import (
        DOWNLOAD_BAR,
        make_printer,
    )  # readers that do not hash start faster without it

    size = os.stat(path).st_size  # noqa: PTH116  # accepts any path-like object
    md5 = hashlib.md5(usedforsecurity=False)
    printer = make_printer(
        bar_format=DOWNLOAD_BAR, total=size, unit="B", unit_scale=True, disable=not progress
    )
    with open_file(path) as file, printer:
        while data := file.read(read_size):
            md5.update(data)
            printer.update(len(data))
    return md5.hexdigest()


def load_md5file(path: str | os.PathLike[str]) -> dict[str, str]:
    """Digests by file name, from a text file with lines ``digest  name``."""
    with Path(path).open(encoding="utf-8") as file:
        return {name: digest for digest, name in (line.strip().split("  ") for line in file)}


def hash_string(s: str, salt: bytes = b"") -> int:
    """First 8 bytes of the BLAKE2s digest of a string in UTF-8, as a big-endian integer.

    Parameters:
        s: the string.
        salt: up to 8 bytes.
    """
    return int.from_bytes(hash_string_bytes(s, salt), "big")


def hash_string_bytes(s: str, salt: bytes = b"") -> bytes:
    """First 8 bytes of the BLAKE2s digest of a string in UTF-8; arguments as in ``hash_string``."""
    return hashlib.blake2s(s.encode(), salt=salt).digest()[:8]
