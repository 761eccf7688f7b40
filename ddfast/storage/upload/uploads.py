"""Writing a new object, which is there when it is complete and not before."""

from __future__ import annotations

import os
import queue
import re
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast.errors import (
    ClosedError,
    StorageError,
    StorageNotFoundError,
    StorageOptionError,
    UnsupportedIOError,
)
from ddfast.storage.backends.anywhere import open_file_system
from ddfast.storage.backends.leaving import requests
from ddfast.storage.backends.local import path_of
from ddfast.storage.backends.obstore_errors import passes_by, status_of
from ddfast.storage.backends.stores import HTTP, key_of, make_store
from ddfast.storage.failures import cut, denied, of_any, of_os_error
from ddfast.storage.open import is_object
from ddfast.storage.urls import scheme_of, shown, split_url

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

PART_BYTES = 16 << 20
# Parts on their way at once, and parts that wait for their turn.
PARTS_AT_ONCE = 4
PARTS_WAITING = 2
LOOK_SECONDS = 0.2
# What obstore says of a request to S3.
PART_NUMBER = re.compile(r"[?&]partNumber=(\d+)")
RETRIES = re.compile(r", after (\d+) retries")
# Parts on their way may be repeated for minutes where a store fails; nobody waits for that in the end.
GIVING_UP_SECONDS = 30.0


class Upload(ABC):
    """A new object in the making. Used by one thread at a time.

    In a ``with`` statement it is committed at the end, or given up where that is left by an exception.

    Parameters:
        url: of the object; one that is there already is replaced by `commit`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = shown(url)
        self.size = 0
        self._is_over = False

    def write(self, data: Buffer) -> None:
        """Append bytes. Waits where too many are on their way.

        Raises:
            StorageError: the storage refused these, or others before.
            ClosedError: the upload was committed or given up.
        """
        self._check_open()
        content = memoryview(data).cast("B")
        self._write(content)
        self.size += len(content)

    def commit(self) -> None:
        """Wait until all is written, and let the object be seen. Errors as those of `write`; then it is given up."""
        self._check_open()
        self._is_over = True
        try:
            self._commit()
        except BaseException:
            self._abort()
            raise

    def abort(self) -> None:
        """Give the object up, and remove what was written of it. Does nothing after `commit` or `abort`."""
        if not self._is_over:
            self._is_over = True
            self._abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        options: as for `open_storage`; with ``part_bytes`` (16 MiB) for stores of objects, which take at most
            10,000 parts.

    Raises:
        UnsupportedIOError: a web server takes no files.
        StorageOptionError, MissingPackageError: as `open_storage`.
        StorageError: the storage refused it.
    """
    name = os.fspath(url)
    scheme = scheme_of(name)
    refuse_unwritable(name)
    if scheme in (None, "file"):
        if options:
            raise StorageOptionError(
                f"{name} is a file, which has no options such as {', '.join(sorted(options))}"
            )
        return FileUpload(name)
    return ObjectUpload(name, **options) if is_object(name) else AnyUpload(name, **options)


def refuse_unwritable(url: str) -> None:
    """Raise `UnsupportedIOError` for the URL of a web server."""
    if scheme_of(url) in HTTP and is_object(url):
        raise UnsupportedIOError(f"{shown(url)} cannot be written to: web servers are for reading")


class FileUpload(Upload):
    """A new file: a neighbour with a temporary name, which is renamed in the end."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._path = path_of(url)
        self._draft = Path(temporary(str(self._path)))
        try:
            self._file = self._draft.open("xb", 0)
        except OSError as error:
            raise of_os_error(error, self.name, None) from error

    def _write(self, content: memoryview) -> None:
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            raise unwritten(error, self.name) from error

    def _commit(self) -> None:
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._draft.replace(self._path)
        except OSError as error:
            raise unwritten(error, self.name) from error

    def _abort(self) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)


class AnyUpload(Upload):
    """A new object in a file system of fsspec: under a temporary name, which is moved in the end."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url)
        self._fs, self._path = open_file_system(url, options)
        self._draft = temporary(self._path)
        try:
            self._file = self._fs.open(self._draft, "wb")
        except Exception as error:
            raise unwritten(error, self.name) from error

    def _write(self, content: memoryview) -> None:
        try:
            self._file.write(content)
        except Exception as error:
            raise unwritten(error, self.name) from error

    def _commit(self) -> None:
        try:
            self._file.close()
            self._fs.mv(self._draft, self._path)
        except Exception as error:
            raise unwritten(error, self.name) from error

    def _abort(self) -> None:
        try:
            self._file.close()
            if self._fs.exists(self._draft):
                self._fs.rm_file(self._draft)
        except Exception as error:
            raise unwritten(error, self.name) from error


class GivenUpError(Exception):
    """Ends the iterator that obstore takes parts from, which makes it remove those it has sent."""


class ObjectUpload(Upload):
    """A new object of a store that obstore knows, sent in parts by a thread while the next are written.

    At most ``part_bytes`` times 7 are held in memory.
    """

    def __init__(self, url: str, *, part_bytes: int = PART_BYTES, **options: Any) -> None:
        super().__init__(url)
        if part_bytes < 1:
            raise ValueError(f"part_bytes is {part_bytes}, and must be positive")
        location = split_url(url)
        requests.begin(self.name)
        self._key = key_of(location)
        self._store = make_store(location, options, retries=True)
        self._part_bytes = part_bytes
        self._part = bytearray()
        self._parts: queue.Queue[bytearray | None] = queue.Queue(PARTS_WAITING)
        self._was_given_up = False
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
                self._hand_over(self._part)
                self._part = bytearray()

    def _commit(self) -> None:
        if self._part:
            self._hand_over(self._part)
        self._hand_over(None)
        self._thread.join()
        self._raise_failure()

    def _abort(self) -> None:
        self._was_given_up = True
        self._thread.join(GIVING_UP_SECONDS)

    def _hand_over(self, part: bytearray | None) -> None:
        """Give a part to the thread, or the end. The thread's own waits are bounded by those of the client."""
        while True:
            self._raise_failure()
            try:
                return self._parts.put(part, timeout=LOOK_SECONDS)
            except queue.Full:
                pass

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise unwritten(self._failure, self.name) from self._failure

    def _send(self) -> None:
        import obstore

        try:
            obstore.put(
                self._store,
                self._key,
                self._taken(),
                chunk_size=self._part_bytes,
                max_concurrency=PARTS_AT_ONCE,
            )
        except Exception as error:
            self._failure = error

    def _taken(self) -> Iterator[bytearray]:
        while not self._was_given_up:
            try:
                part = self._parts.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            if part is None:
                return
            yield part
        raise GivenUpError


def temporary(path: str) -> str:
    """A name beside another that nobody else has."""
    return f"{path}.{secrets.token_hex(8)}.tmp"


def unwritten(error: Exception, name: str, what: str = "written") -> StorageError:
    """The error for an object that could not be written; says which part, and how often it was tried, if known."""
    reason = str(error).partition("\n\nDebug source:")[0]
    part, retries = PART_NUMBER.search(reason), RETRIES.search(reason)
    attempts = int(retries[1]) + 1 if retries else 1
    reason = cut(reason or type(error).__name__)
    if isinstance(error, PermissionError) or status_of(error) in (401, 403):
        return denied(name, None, reason)
    passing = of_any(error, name, None).passing or passes_by(error)
    where = f"part {part[1]} of {name}" if part else name
    often = f" after {attempts} attempts" if attempts > 1 else ""
    kind = StorageNotFoundError if isinstance(error, FileNotFoundError) else StorageError
    return kind(f"{where} could not be {what}{often}: {reason}", url=name, attempts=attempts, passing=passing)
