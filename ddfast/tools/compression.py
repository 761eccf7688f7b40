"""Compressed files, recognised by their suffix."""

from __future__ import annotations

import gzip
import lzma
import os
from typing import IO, Any


def open_comp(
    path: str | os.PathLike[str], mode: str = "rb", level: int | None = None, encoding: str | None = None
) -> IO[Any]:
    """Open a file that is compressed if its name ends with ``.gz`` or ``.xz``.

    Parameters:
        path: the file.
        mode: as for ``open``.
        level: compression level for writing, 0 to 9; None for the default of the compressor. Ignored for reading.
        encoding: text encoding, for modes with ``t``.
    """
    path = os.fspath(path)
    writing = level is not None and not mode.startswith("r")
    opener: Any = open
    options: dict[str, Any] = {}
    if path.endswith(".gz"):
        opener, options = gzip.open, {"compresslevel": level}
    elif path.endswith(".xz"):
        opener, options = lzma.open, {"preset": level}
    file: IO[Any] = opener(path, mode, encoding=encoding, **(options if writing else {}))
    return file
