"""Uploads: new objects, which exist only once they are complete."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from ddfast._util.secrets import Secrets, calling
from ddfast.errors import ClosedError, StorageOptionError, UnsupportedIOError
from ddfast.format.drafts import create, set_access, status_of
from ddfast.storage.backends.failures import unwritten
from ddfast.storage.backends.files import open_file_system, path_of
from ddfast.storage.backends.stores import key_of, make_store, pending
from ddfast.storage.urls import HTTP, is_object, scheme_of, shown, split_url

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

__all__ = ["PARTS_AT_ONCE", "PART_BYTES", "Upload", "open_upload", "refuse_unwritable"]

T = TypeVar("T")

PART_BYTES = 16 << 20
# Parts that are sent at once, and parts that wait.
PARTS_AT_ONCE = 4
PARTS_WAITING = 2
POLL_SECONDS = 0.2
# A failing store may be retried for minutes; `abort` does not wait as long for the parts under way.
ABORT_SECONDS = 30.0


class Upload(ABC):
    """A new object that is being written. Used by one thread at a time.

    A ``with`` statement commits the upload at its end, or aborts it after an exception.

    Parameters:
        url: of the object; `commit` replaces an existing one.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = shown(url)
        self.size = 0
        self._is_over = False

    def write(self, data: Buffer) -> None:
        """Append bytes. Blocks while too many bytes wait to be sent.

        Raises:
            StorageError: the storage refused these or earlier bytes.
            ClosedError: the upload was committed or aborted.
        """
        self._check_open()
        content = memoryview(data).cast("B")
        self._write(content)
        self.size += len(content)

    def commit(self) -> None:
        """Wait until all bytes are written, and make the object visible. Aborts on errors, which are as in `write`."""
        self._check_open()
        self._is_over = True
        try:
            self._commit()
        except BaseException:
            self._abort()
            raise

    def abort(self) -> None:
        """Remove what was written. Does nothing after `commit` or `abort`."""
        if not self._is_over:
            self._is_over = True
            self._abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None and not self._is_over:
            self.commit()
        self.abort()

    def _check_open(self) -> None:
        if self._is_over:
            raise ClosedError(f"{self.name}: the upload is over")

    @abstractmethod
    def _write(self, content: memoryview) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _abort(self) -> None: ...


def open_upload(url: str | os.PathLike[str], **options: Any) -> Upload:
    """Begin to write a new object.

    Parameters:
        url: as for `open_storage`.
        options: as for `open_storage`; and ``part_bytes`` (16 MiB) for object stores, which take at most 10,000
            parts.

    Raises:
        UnsupportedIOError: the URL is of a web server.
        StorageOptionError, MissingPackageError: as `open_storage`.
        StorageError: the storage refused the upload.
    """
    name = os.fspath(url)
    scheme = scheme_of(name)
    refuse_unwritable(name)
    if scheme in (None, "file"):
        if options:
            raise StorageOptionError(
                f"{shown(name)} is a file, which has no options such as {', '.join(sorted(options))}"
            )
        path = path_of(name)
        return FileUpload(name, LocalFiles(path), str(path))
    if is_object(name):
        return ObjectUpload(name, **options)
    return FileUpload(name, *open_file_system(name, options), options)


def refuse_unwritable(url: str) -> None:
    """Raise `UnsupportedIOError` for the URL of a web server."""
    if scheme_of(url) in HTTP and is_object(url):
        raise UnsupportedIOError(f"{shown(url)} cannot be written: web servers are for reading")


class LocalFiles:
    """The files of this machine, with those methods of an fsspec file system that `FileUpload` uses.

    Parameters:
        target: the file that is replaced, whose access rights a new one gets.
    """

    def __init__(self, target: Path) -> None:
        self._model = status_of(target)

    def open(self, path: str, mode: str) -> IO[bytes]:
        """Create a file."""
        file = create(Path(path), self._model)
        if self._model is not None:
            set_access(file, self._model)
        return os.fdopen(file, mode)

    def mv(self, old: str, new: str) -> None:
        """Flush a file to the disk, and rename it."""
        with open(old, "rb") as file:  # noqa: PTH123
            os.fsync(file.fileno())
        Path(old).replace(new)

    def exists(self, path: str) -> bool:
        """Whether a file exists."""
        return Path(path).exists()

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        Path(path).unlink()


class FileUpload(Upload):
    """A new object of a file system, which has a temporary name beside the final one until it is complete.

    Parameters:
        url: of the object.
        file_system: one of fsspec, or `LocalFiles`.
        path: of the object in it.
        options: those with which the file system was opened.
    """

    def __init__(
        self, url: str, file_system: Any, path: str, options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(url)
        self._fs, self._path = file_system, path
        self._secrets = Secrets(url, options)
        folder, slash, _ = path.rpartition("/")
        self._temporary = f"{folder}{slash}.{secrets.token_hex(8)}.tmp"  # no longer than other names
        self._file = self._calling(lambda: self._fs.open(self._temporary, "wb"))

    def _calling(self, function: Callable[[], T]) -> T:
        return calling(function, lambda error: unwritten(error, self.name, self._secrets))

    def _write(self, content: memoryview) -> None:
        self._calling(lambda: self._file.write(content))

    def _commit(self) -> None:
        self._calling(self._file.close)
        self._calling(lambda: self._fs.mv(self._temporary, self._path))

    def _abort(self) -> None:
        with contextlib.suppress(Exception):
            self._file.close()
        if self._calling(lambda: self._fs.exists(self._temporary)):
            self._calling(lambda: self._fs.rm_file(self._temporary))


class UploadAborted(Exception):  # noqa: N818
    """Raised by the iterator that obstore reads parts from, so that it removes the parts that it has sent."""


class ObjectUpload(Upload):
    """A new object of an obstore store, sent in parts by a thread while further parts are written.

    Takes at most 7 times ``part_bytes`` of memory.
    """

    def __init__(self, url: str, *, part_bytes: int = PART_BYTES, **options: Any) -> None:
        super().__init__(url)
        if part_bytes < 1:
            raise ValueError(f"part_bytes is {part_bytes}, but must be positive")
        location = split_url(url)
        self._secrets = Secrets(url, options)
        pending.begin(self.name)
        self._key = key_of(location)
        self._store = make_store(location, options, retries=True)
        self._part_bytes = part_bytes
        self._part = bytearray()
        self._parts: queue.Queue[bytearray | None] = queue.Queue(PARTS_WAITING)
        self._is_aborted = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._send, name="ddfast-upload", daemon=True)
        self._thread.start()

    def _write(self, content: memoryview) -> None:
        self._raise_failure()
        while content:
            room = self._part_bytes - len(self._part)
            self._part += content[:room]
            content = content[room:]
            if len(self._part) == self._part_bytes:
                self._enqueue(self._part)
                self._part = bytearray()

    def _commit(self) -> None:
        if self._part:
            self._enqueue(self._part)
        self._enqueue(None)
        self._thread.join()
        self._raise_failure()

    def _abort(self) -> None:
        self._is_aborted = True
        self._thread.join(ABORT_SECONDS)

    def _enqueue(self, part: bytearray | None) -> None:
        """Pass a part, or the end, to the thread. Its requests, and so this wait, have the time limits of obstore."""
        while True:
            self._raise_failure()
            try:
                return self._parts.put(part, timeout=POLL_SECONDS)
            except queue.Full:
                pass

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise unwritten(self._failure, self.name, self._secrets)

    def _send(self) -> None:
        import obstore

        try:
            obstore.put(
                self._store,
                self._key,
                self._dequeued(),
                chunk_size=self._part_bytes,
                max_concurrency=PARTS_AT_ONCE,
            )
        except Exception as error:
            self._failure = error

    def _dequeued(self) -> Iterator[bytearray]:
        while not self._is_aborted:
            try:
                part = self._parts.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if part is None:
                return
            yield part
        raise UploadAborted
