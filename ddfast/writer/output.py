"""The data file in the making."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ddfast._native.file import start_writeback
from ddfast.writer.direct import DirectOutput, write_all
from ddfast.writer.lane import Lane

if TYPE_CHECKING:
    from typing_extensions import Buffer

# After this much, the disk is sent what was written, so that little is left to wait for in the end.
WRITEBACK_BYTES = 2 << 20

# Files that grow beyond this go to the disk past the page cache; smaller ones are likely to be read soon.
DIRECT_FROM = 32 << 20


class Output:
    """A new file, written in a thread while the caller packs.

    Parameters:
        path: where it is made.
        resume: it is there already, and goes on where it ends.

    Attributes:
        is_closed: whether nothing can be written any more.
    """

    def __init__(self, path: Path, resume: bool = False) -> None:
        self._file = path.open("r+b" if resume else "x+b", 0)
        self._lane = Lane("ddfast-write")
        self._size = self._sent = self._file.seek(0, os.SEEK_END)
        self._direct: DirectOutput | None = None
        self._is_small = True
        self.is_closed = False

    def write(self, pieces: Iterable[Buffer], before: Callable[[], object] | None = None) -> None:
        """Append bytes. Waits where too many are waiting.

        Parameters:
            pieces: the bytes.
            before: done in the same thread before they are written.

        Raises:
            OSError: the file system refused these, or others before.
        """
        self._lane.put(self._save, pieces, before)

    def close(self) -> None:
        """Wait until all is written, and close the file, unless it is closed. Errors as those of `write`."""
        if self.is_closed:
            return
        self.is_closed = True
        self._lane.put(self._finish)
        self._lane.finish()
        self._lane.close()
        self._file.close()

    def discard(self) -> None:
        """Close the file and write no more."""
        self.is_closed = True
        self._lane.close()
        with contextlib.suppress(OSError):
            self._file.close()

    def _save(self, pieces: Iterable[Buffer], before: Callable[[], object] | None) -> None:
        if before is not None:
            before()
        for piece in pieces:
            if self._direct is not None:
                self._direct.write(piece)
                continue
            write_all(self._file, piece)
            self._size += memoryview(piece).nbytes
            self._send()

    def _finish(self) -> None:
        if self._direct is not None:  # which only the thread knows: it may just have begun
            self._direct.finish()

    def _send(self) -> None:
        """Have the disk at work early."""
        if self._size - self._sent >= WRITEBACK_BYTES:
            start_writeback(self._file.fileno(), self._sent, self._size - self._sent)
            self._sent = self._size
        if self._is_small and self._size >= DIRECT_FROM:
            self._is_small = False
            self._direct = DirectOutput.start(self._file)
