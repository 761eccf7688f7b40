"""A file, by the calls of the system."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ddfast.errors import StorageError
from ddfast.storage.backends.threaded import ThreadedStorage
from ddfast.storage.base import Span, Stat, Storage, paired
from ddfast.storage.failures import REOPEN, failed, of_os_error, where
from ddfast.storage.urls import scheme_of


class OpenFile:
    """A descriptor that is closed when nobody refers to it any more: a thread may still read from it."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


class LocalStorage(ThreadedStorage):
    """A file.

    It is opened with the first use, and again when the system says that it lost it (ESTALE of a network file system).
    The version is made of inode and time of the last change.

    Parameters:
        url: a path or a URL ``file:///...``.
    """

    def __init__(self, url: str | os.PathLike[str], **options: Any) -> None:
        super().__init__(os.fspath(url), **options)
        self.path = path_of(self.url)
        self._opening = threading.Lock()
        self._file: OpenFile | None = None

    def stat(self) -> Stat:
        """Size and version. A file that another was renamed over stays what it was to who has it open."""
        self.check_usable()
        with self._explaining(None):
            return self._look(self._opened())

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read into the buffers, one after the other."""
        self.check_usable()
        pairs = paired(spans, into)
        with self._explaining(pairs[0][0] if pairs else None):
            file = self._opened()
        for span, target in pairs:
            with self._explaining(span, file):
                self._fill(file, span, target)
                self._look(file, span)

    def beside(self, suffix: str) -> LocalStorage:
        """The file beside this one."""
        return type(self)(self.url + suffix, **self.options)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._file = None

    async def close_async(self) -> None:
        """Close the file."""
        await super().close_async()
        self._file = None

    def _opened(self) -> OpenFile:
        with self._opening:
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
        """Raise what the system says as `StorageError`, and open the file anew next time if it was lost."""
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            with self._opening:
                if error.errno in REOPEN and (file is None or self._file is file):
                    self._file = None
            raise of_os_error(error, self.name, span) from error

    def _fill(self, file: OpenFile, span: Span, target: memoryview) -> None:
        done = 0
        while done < len(target):
            got = self.read_some(file.fd, target[done:], span[0] + done)
            if got == 0:
                raise self._ended(file, span, done)
            done += got

    def read_some(self, fd: int, target: memoryview, position: int) -> int:
        """One call of the system: fill some of a buffer; gives the number of bytes, 0 at the end of the file."""
        return os.preadv(fd, [target], position)

    def _ended(self, file: OpenFile, span: Span, done: int) -> StorageError:
        size = self._look(file, span).size
        if size < span[1]:
            return beyond_end(self, span, size)
        return failed(self.name, span, f"it ended after {done:,} bytes, and has {size:,}", True)


def path_of(url: str) -> Path:
    """The path that a URL ``file://...`` or a path means.

    Raises:
        ValueError: the file is on another machine.
    """
    if scheme_of(url) != "file":
        return Path(url)
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise ValueError(f"{url} names a file on the machine {host!r}: a path on this one is file:///path")
    return Path(unquote(slash + path))


def beyond_end(storage: Storage, span: Span, size: int) -> StorageError:
    """The error for a span that ends behind the object."""
    return StorageError(
        f"{where(storage.name, span)} cannot be read: it has {size:,} bytes", url=storage.name, span=span
    )
