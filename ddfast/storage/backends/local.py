"""Files, read with system calls."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ddfast.errors import StorageError
from ddfast.storage.backends.failures import REOPEN, beyond_end, failed, of_os_error
from ddfast.storage.backends.threaded import ThreadedStorage
from ddfast.storage.base import Span, Stat, paired
from ddfast.storage.urls import scheme_of

__all__ = ["LocalStorage", "OpenFile", "path_of"]


class OpenFile:
    """A file descriptor that is closed when the last reference is dropped: a thread may still read from it."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


class LocalStorage(ThreadedStorage):
    """A file.

    It is opened at the first use, and again after the system has lost it (ESTALE of a network file system). The
    version consists of the inode and the time of the last change.

    Parameters:
        url: a path or a URL ``file:///...``.
    """

    def __init__(self, url: str | os.PathLike[str], **options: Any) -> None:
        super().__init__(os.fspath(url), **options)
        self.path = path_of(self.url)
        self._file_lock = threading.Lock()
        self._file: OpenFile | None = None

    def stat(self) -> Stat:
        """Size and version of the open file, also after another file has been renamed over it."""
        self.check_usable()
        with self._explaining(None):
            return self._look(self._opened())

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read one span after the other."""
        self.check_usable()
        pairs = paired(spans, into)
        with self._explaining(pairs[0][0] if pairs else None):
            file = self._opened()
        for span, target in pairs:
            with self._explaining(span, file):
                self._fill(file, span, target)
                self._look(file, span)

    def beside(self, suffix: str) -> LocalStorage:
        """The file whose name is longer by the suffix."""
        return type(self)(self.url + suffix, **self.options)

    def close(self) -> None:
        """Close the file, after its reads as in `ThreadedStorage.close`."""
        super().close()
        self._file = None

    def _opened(self) -> OpenFile:
        with self._file_lock:
            if self._file is None:
                file = OpenFile(self.path)
                self._look(file)
                self._file = file
            return self._file

    def _look(self, file: OpenFile, span: Span | None = None) -> Stat:
        found = os.fstat(file.fd)
        return self.note(Stat(found.st_size, f"{found.st_ino}-{found.st_mtime_ns}"), span)

    @contextlib.contextmanager
    def _explaining(self, span: Span | None, file: OpenFile | None = None) -> Iterator[None]:
        """Raise errors of the system as `StorageError`; the next read opens the file again if it was lost."""
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            with self._file_lock:
                if error.errno in REOPEN and (file is None or self._file is file):
                    self._file = None
            raise of_os_error(error, self.name, span) from error

    def _fill(self, file: OpenFile, span: Span, target: memoryview) -> None:
        done = 0
        while done < len(target):
            got = self.read_some(file.fd, target[done:], span[0] + done)
            if got == 0:
                size = self._look(file, span).size
                if size < span[1]:
                    raise beyond_end(self.name, span, size)
                reason = f"the file ended after {done:,} bytes, but its size is {size:,}"
                raise failed(self.name, span, reason, True)
            done += got

    def read_some(self, fd: int, target: memoryview, position: int) -> int:
        """Fill a part of a buffer by one system call; returns the number of bytes, 0 at the end of the file."""
        return os.preadv(fd, [target], position)


def path_of(url: str) -> Path:
    """The path of a URL ``file://...``, or a path as it is.

    Raises:
        ValueError: the URL names another machine.
    """
    if scheme_of(url) != "file":
        return Path(url)
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise ValueError(f"{url} names a file on the machine {host!r}. Use file:///path for a local file")
    return Path(unquote(slash + path))
