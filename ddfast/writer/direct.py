"""Writing past the page cache, straight to the disk."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from io import FileIO
from typing import TYPE_CHECKING

from ddfast._native.file import is_local

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Where direct writes begin and end, in the file and in memory: a multiple of every disk's block.
ALIGNMENT = 4096
BUFFER_BYTES = 4 << 20

REFUSED = {errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


class DirectOutput:
    """Appends to a file without filling the page cache.

    Memory there takes longer to get than a disk of today takes to write it, and what others read is driven out.

    Parameters:
        file: open for reading and writing, without a buffer; on a local file system.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._buffer = mmap.mmap(-1, BUFFER_BYTES)
        self._flags = fcntl.fcntl(file, fcntl.F_GETFL)
        end = file.seek(0, os.SEEK_END)
        start = file.seek(end - end % ALIGNMENT)
        self._fill = file.readinto(memoryview(self._buffer)[: end - start]) or 0  # is written once more
        file.seek(start)
        fcntl.fcntl(file, fcntl.F_SETFL, self._flags | os.O_DIRECT)

    @classmethod
    def start(cls, file: FileIO) -> DirectOutput | None:
        """Go on in this way; None where the system has none."""
        if not hasattr(os, "O_DIRECT") or not is_local(file.fileno()):
            return None
        try:
            return cls(file)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            file.seek(0, os.SEEK_END)
            return None

    def write(self, data: Buffer) -> None:
        """Append bytes, which may wait for more to come."""
        rest = memoryview(data).cast("B")
        while rest:
            taken = min(len(rest), BUFFER_BYTES - self._fill)
            self._buffer[self._fill : self._fill + taken] = rest[:taken]
            self._fill += taken
            rest = rest[taken:]
            if self._fill == BUFFER_BYTES:
                self._write(BUFFER_BYTES)
                self._fill = 0

    def finish(self) -> None:
        """Write what waits; the file goes on as before."""
        whole = self._fill - self._fill % ALIGNMENT
        self._write(whole)
        self._go_back()
        write_all(self._file, memoryview(self._buffer)[whole : self._fill])
        self._fill = 0

    def _write(self, size: int) -> None:
        rest = memoryview(self._buffer)[:size]
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            self._go_back()  # as after a short write, where the file cannot go on directly
            write_all(self._file, rest)

    def _go_back(self) -> None:
        """Write by way of the page cache from here on."""
        fcntl.fcntl(self._file, fcntl.F_SETFL, self._flags)


def write_all(file: FileIO, data: Buffer) -> None:
    """Write to an unbuffered file, which may take less than it is given."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[file.write(rest) :]
