"""What can only be read by blocking, in threads: files, and the file systems of fsspec."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from ddfast._util.paths import absolute
from ddfast._util.secrets import Secrets, calling
from ddfast.errors import MissingPackageError, StorageError, StorageOptionError
from ddfast.storage.backends.failures import (
    REOPEN,
    beyond_end,
    failed,
    incomplete,
    of_any,
    of_os_error,
)
from ddfast.storage.base import Span, Stat, Storage, memory_for, paired
from ddfast.storage.urls import lengthened, scheme_of, shown

__all__ = ["AnyStorage", "LocalStorage", "OpenFile", "ThreadedStorage", "open_file_system", "path_of"]

T = TypeVar("T")

THREADS = 32
# `close` waits this long for reads under way; slower ones are left to end by themselves.
CLOSE_SECONDS = 5.0

# Keys of fsspec's ``info`` that change with the object, the most reliable first.
VERSIONS = (
    "ETag", "etag", "e_tag", "generation", "VersionId", "version_id", "md5", "md5Hash", "content_md5",
    "mtime", "LastModified", "last_modified", "modified", "updated", "created",
)  # fmt: skip


class ThreadedStorage(Storage):
    """A storage with blocking `stat` and `read`; the asynchronous methods call them in threads."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[Future[Any]] = set()
        self._pool_lock = threading.Lock()

    async def stat_async(self) -> Stat:
        """As `stat`, in a thread."""
        return await self._in_thread(self.stat)

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read`, in a thread.

        A thread cannot be stopped, so a cancelled read may go on. It reads into memory of its own, because the
        buffers may be in use for something else by then.
        """
        paired(spans, into)
        own = [memory_for(stop - start, self.name) for start, stop in spans]
        await self._in_thread(self.read, spans, own)
        for target, data in zip(into, own, strict=True):
            memoryview(target).cast("B")[:] = data

    def close(self) -> None:
        """Close the storage, and wait at most 5 seconds for its threads."""
        super().close()
        with self._pool_lock:
            pool, self._pool = self._pool, None
            running = set(self._running)
        if pool is not None:
            late = wait(running, CLOSE_SECONDS).not_done
            pool.shutdown(wait=not late, cancel_futures=True)

    async def close_async(self) -> None:
        """As `close`."""
        if self._running:
            await asyncio.to_thread(self.close)
        else:
            self.close()

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        with self._pool_lock:
            self.check_usable()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ddfast-storage")
            future = self._pool.submit(function, *arguments)
            self._running.add(future)
        future.add_done_callback(self._forget)
        return await asyncio.wrap_future(future)

    def _forget(self, future: Future[Any]) -> None:
        with self._pool_lock:
            self._running.discard(future)


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
        name = os.fspath(url)
        super().__init__(name if scheme_of(name) == "file" else absolute(name), **options)
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
    """The absolute path of a URL ``file://...`` or of a path.

    Raises:
        ValueError: the URL names another machine.
    """
    if scheme_of(url) != "file":
        return Path(absolute(url))
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise ValueError(f"{shown(url)} names a file on another machine. Use file:///path for a local file")
    return Path(unquote(slash + path))


class AnyStorage(ThreadedStorage):
    """An object that fsspec reads.

    Only `stat` notices a new version; reads check that as many bytes arrive as were requested.

    Parameters:
        url: of the object, with a scheme of fsspec or a chain of them.
        options: those of `fsspec.open`.

    Raises:
        StorageOptionError: no file system has this scheme, or it does not take these options.
        MissingPackageError: fsspec, or a package that it needs for this scheme, is not installed.
    """

    def __init__(self, url: str, *, _file_system: Any = None, **options: Any) -> None:
        super().__init__(url, **options)
        if _file_system is None:
            self._fs, self._path = open_file_system(url, options)
        else:
            self._fs, self._path = _file_system, _file_system._strip_protocol(url)

    def stat(self) -> Stat:
        """Size and version, as far as the file system knows them."""
        self.check_usable()
        return self.note(self._calling(self._stat, None))

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read one span after the other."""
        self.check_usable()
        for span, target in paired(spans, into):
            content = self._calling(partial(self._fs.cat_file, self._path, start=span[0], end=span[1]), span)
            if len(content) != span[1] - span[0]:
                size = self.stat().size
                if span[1] > size:
                    raise beyond_end(self.name, span, size)
                raise incomplete(self.name, span, len(content))
            target[:] = content

    def _stat(self) -> Stat:
        info = self._fs.info(self._path)
        version = next((str(info[name]) for name in VERSIONS if info.get(name) is not None), None)
        size = self._fs.size(self._path) if info.get("size") is None else info["size"]
        return Stat(int(size), version)

    def _calling(self, function: Callable[[], T], span: Span | None) -> T:
        return calling(function, lambda error: of_any(error, self.name, span, self._secrets))

    def beside(self, suffix: str) -> AnyStorage:
        """Another object of the same file system."""
        self.check_usable()
        url = lengthened(self.url, suffix)
        is_chain = "::" in url  # its file system depends on the name
        return type(self)(url, _file_system=None if is_chain else self._fs, **self.options)


def open_file_system(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        StorageOptionError: no file system has this scheme, or it does not take these options.
        MissingPackageError: fsspec, or a package that it needs for this scheme, is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingPackageError(
            f"{shown(url)} is read with fsspec, which is not installed: pip install 'ddfast[remote]'"
        ) from error
    # Instances that fsspec caches may have been made before a fork.
    settings = {"skip_instance_cache": True, "use_listings_cache": False, **options}
    file_system, path = calling(
        lambda: url_to_fs(url, **settings), lambda error: _unopened(error, url, Secrets(url, options))
    )
    return file_system, path


def _unopened(error: Exception, url: str, secrets: Secrets) -> Exception:
    """The error for a file system that could not be made."""
    found: Exception
    if isinstance(error, ImportError):
        found = MissingPackageError(
            f"{shown(url)} needs a package that is not installed: {secrets.hide(str(error))}"
        )
    elif isinstance(error, TypeError | ValueError):
        found = StorageOptionError(
            f"{shown(url)} cannot be opened with these options: {secrets.hide(str(error))}"
        )
    else:
        return of_any(error, shown(url), None, secrets)
    found.__cause__ = secrets.removed_from(error)
    return found
