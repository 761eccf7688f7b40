"""A window that moves through a data file, from its start to its end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ddfast.errors import DatasetChangedError, ReadError
from ddfast.format.files import open_file

OnData = Callable[[memoryview], object]


class SequentialFile(Protocol):
    """A data file that is read from start to end, such as a remote one: `ddfast.storage.SequentialReader`.

    Attributes:
        name: for messages.
        size: bytes.
    """

    name: str
    size: int

    def read(self, size: int, /) -> memoryview:
        """The next bytes, up to `size` of them; empty at the end."""

    def close(self) -> None:
        """End reading."""


class LocalFile:
    """A local file as a `SequentialFile`."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = open_file(path)
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, size: int) -> memoryview:
        try:
            return memoryview(self._file.read(size))
        except OSError as error:
            raise ReadError(error.errno, f"{error.strerror}: cannot read it", self.name) from error

    def seek(self, position: int) -> None:
        self._file.seek(position)

    def close(self) -> None:
        self._file.close()


class Window:
    """The part of a file that is in memory. A context manager, which closes the file.

    Parameters:
        file: path or open file.
        on_data: called with all bytes of the file from `start` on, in order and piece by piece.
        start: position in the file to begin at.

    Attributes:
        name: of the file.
        data: the bytes in memory.
    """

    SIZE = 1 << 20  # bytes that are read at a time

    def __init__(
        self, file: str | os.PathLike[str] | SequentialFile, on_data: OnData | None, start: int = 0
    ) -> None:
        self._file = LocalFile(Path(file)) if isinstance(file, str | os.PathLike) else file
        self._on_data = on_data
        self._left = self._file.size - start
        self.name = self._file.name
        self.data = memoryview(b"")
        if start:
            self._skip(start)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def extend(self, size: int) -> bool:
        """Read until there are at least `size` bytes. Returns False if the file has fewer."""
        missing = size - len(self.data)
        if missing <= 0:
            return True
        if missing > self._left:
            return False
        room = min(self._left, max(missing, len(self.data), self.SIZE))
        parts = [self.data, *self._read(room)]
        self.data = memoryview(b"".join(parts)) if self.data or len(parts) > 2 else parts[1]
        return True

    def drop(self, size: int) -> None:
        """Remove the first `size` bytes."""
        self.data = self.data[size:]

    def read_rest(self) -> None:
        """Call `on_data` with the rest of the file."""
        if self._on_data is not None:
            while self._left:
                self._read(min(self._left, self.SIZE))

    def _skip(self, size: int) -> None:
        if isinstance(self._file, LocalFile):
            self._file.seek(size)
            return
        while size:
            size -= len(self._file.read(size))

    def _read(self, size: int) -> list[memoryview]:
        parts = []
        while size:
            part = self._file.read(min(size, self.SIZE))
            if not part:
                raise DatasetChangedError(
                    f"{self.name} was truncated while it was read. Restore it from a copy."
                )
            if self._on_data is not None:
                self._on_data(part)
            parts.append(part)
            size -= len(part)
            self._left -= len(part)
        return parts
