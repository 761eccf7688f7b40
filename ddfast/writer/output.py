"""The data file in the making."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ddfast._native.file import start_writeback
from ddfast.writer.lane import Lane

if TYPE_CHECKING:
    from typing_extensions import Buffer

# After this much, the disk is sent what was written, so that little is left to wait for in the end.
WRITEBACK_BYTES = 8 << 20


class Output:
    """A new file, written in a thread while the caller packs.

    Parameters:
        path: where it is made.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", 0)
        self._lane = Lane("ddfast-write")
        self._sent = 0

    def write(self, pieces: Iterable[Buffer]) -> None:
        """Append bytes. Waits where too many are waiting.

        Raises:
            OSError: the file system refused these, or others before.
        """
        self._lane.put(self._save, pieces)

    def close(self) -> None:
        """Wait until all is written, and close the file. Errors as those of `write`."""
        self._lane.finish()
        self._lane.close()
        self._file.close()

    def discard(self) -> None:
        """Close the file and write no more."""
        self._lane.close()
        with contextlib.suppress(OSError):
            self._file.close()

    def _save(self, pieces: Iterable[Buffer]) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:  # an unbuffered file may take less than it is given
                rest = rest[self._file.write(rest) :]
        size = self._file.tell()
        if size - self._sent >= WRITEBACK_BYTES:
            start_writeback(self._file.fileno(), self._sent, size - self._sent)
            self._sent = size
