"""The data file of an unfinished dataset, written in a thread while the caller packs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from ddfast._native.file import is_local, start_writeback
from ddfast.format.drafts import create, open_regular, set_access
from ddfast.writer.digest import SerialWorker

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Writeback to the disk is started after this many bytes, so that little is left to flush at the end.
WRITEBACK_BYTES = 2 << 20

# Files larger than this are written past the page cache; smaller ones are likely to be read soon.
DIRECT_FROM = 32 << 20

# Alignment of direct writes, in the file and in memory: a multiple of the block size of every disk.
ALIGNMENT = 4096
BUFFER_BYTES = 4 << 20

# Errors of a system, file system or disk that does not support direct writes.
NO_DIRECT = {errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


class DataFile:
    """A file that is appended to by a thread.

    Parameters:
        path: of the file; a link is not followed.
        resume: append to an existing file; otherwise the file is created.
        model: status of the file whose access rights the file gets, if there is one.

    Attributes:
        is_open: whether more bytes can be written.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """

    def __init__(self, path: Path, resume: bool = False, model: os.stat_result | None = None) -> None:
        self._model = model
        self._file = open_regular(path, write=True) if resume else FileIO(create(path, model), "r+b")
        if resume and model is not None:
            set_access(self._file.fileno(), model, stat.S_IWUSR)
        self._worker = SerialWorker("ddfast-write")
        self._size = self._sent = self._file.seek(0, os.SEEK_END)
        self._direct: DirectWriter | None = None
        self._may_be_direct = True
        self.is_open = True

    def write(self, buffers: Iterable[Buffer], before: Callable[[], object] | None = None) -> None:
        """Append bytes. Waits while the queue of the thread is full.

        Parameters:
            buffers: the bytes.
            before: called by the thread before it writes them.

        Raises:
            OSError: these or earlier bytes could not be written.
        """
        self._worker.put(self._write, buffers, before)

    def flush(self) -> None:
        """Wait until all bytes are handed to the file system. Errors as those of `write`."""
        self._worker.put(self._flush)
        self._worker.wait()

    def finish(self) -> None:
        """Wait until all bytes are written; no more can be. Errors as those of `write`."""
        if self.is_open:
            self.is_open = False
            self._worker.put(self._finish)
            self._worker.wait()

    def leave_thread(self) -> None:
        """Wait until all bytes are written; later ones are written by the caller. Errors as those of `write`."""
        self._worker.leave_thread()

    def start_sync(self) -> None:
        """Give the file its access rights and start to flush it to the disk, in the thread; `wait` waits for it."""
        if self._model is not None:
            set_access(self._file.fileno(), self._model)
        self._worker.put(os.fsync, self._file.fileno())

    def wait(self) -> None:
        """Wait until the thread has done all its jobs. Errors as those of `write`."""
        self._worker.wait()

    def close(self) -> None:
        """End the thread and close the file. Bytes in the queue are not written."""
        self.is_open = False
        self._worker.close()
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, buffers: Iterable[Buffer], before: Callable[[], object] | None) -> None:
        if before is not None:
            before()
        for buffer in buffers:
            if self._direct is not None:
                self._direct.write(buffer)
                continue
            write_all(self._file, buffer)
            self._size += memoryview(buffer).nbytes
            self._start_writeback()

    def _flush(self) -> None:
        if self._direct is not None:
            self._direct.flush()

    def _finish(self) -> None:
        if self._direct is not None:  # only the thread knows: it may have been set by the last job
            self._direct.finish()

    def _start_writeback(self) -> None:
        if self._size - self._sent >= WRITEBACK_BYTES:
            start_writeback(self._file.fileno(), self._sent, self._size - self._sent)
            self._sent = self._size
        if self._may_be_direct and self._size >= DIRECT_FROM:
            self._may_be_direct = False
            self._direct = DirectWriter.start(self._file)


class DirectWriter:
    """Appends to a file past the page cache.

    Allocating memory for the page cache takes longer than writing to a modern disk, and evicts what others read.

    Parameters:
        file: open for reading and writing, without a buffer; on a local file system.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._buffer = mmap.mmap(-1, BUFFER_BYTES)
        self._flags = fcntl.fcntl(file, fcntl.F_GETFL)
        end = file.seek(0, os.SEEK_END)
        start = file.seek(end - end % ALIGNMENT)
        self._fill = file.readinto(memoryview(self._buffer)[: end - start]) or 0  # is written again
        file.seek(start)
        fcntl.fcntl(file, fcntl.F_SETFL, self._flags | os.O_DIRECT)

    @classmethod
    def start(cls, file: FileIO) -> DirectWriter | None:
        """Continue with direct writes; None if the system does not support them."""
        if not hasattr(os, "O_DIRECT") or not is_local(file.fileno()):
            return None
        try:
            return cls(file)
        except OSError as error:
            if error.errno not in NO_DIRECT:
                raise
            file.seek(0, os.SEEK_END)
            return None

    def write(self, data: Buffer) -> None:
        """Append bytes, some of which stay in the buffer."""
        rest = memoryview(data).cast("B")
        while rest:
            taken = min(len(rest), BUFFER_BYTES - self._fill)
            self._buffer[self._fill : self._fill + taken] = rest[:taken]
            self._fill += taken
            rest = rest[taken:]
            if self._fill == BUFFER_BYTES:
                self._write(BUFFER_BYTES)
                self._fill = 0

    def flush(self) -> None:
        """Write the bytes in the buffer; those of an incomplete block are written again later."""
        if not self._fill:
            return
        end = self._file.tell() + self._fill
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        self.finish()
        if flags & os.O_DIRECT:
            rest = end % ALIGNMENT
            self._file.seek(end - rest)
            self._fill = self._file.readinto(memoryview(self._buffer)[:rest]) or 0
            self._file.seek(end - rest)
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags)

    def finish(self) -> None:
        """Write the bytes in the buffer, and end direct writes."""
        whole = self._fill - self._fill % ALIGNMENT
        self._write(whole)
        self._end_direct()
        write_all(self._file, memoryview(self._buffer)[whole : self._fill])
        self._fill = 0

    def _write(self, size: int) -> None:
        rest = memoryview(self._buffer)[:size]
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            if error.errno not in NO_DIRECT:
                raise
            self._end_direct()  # for instance after a short write, which leaves the position unaligned
            write_all(self._file, rest)

    def _end_direct(self) -> None:
        fcntl.fcntl(self._file, fcntl.F_SETFL, self._flags)


def write_all(file: FileIO, data: Buffer) -> None:
    """Write to an unbuffered file, where a call may write only a part."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[file.write(rest) :]
