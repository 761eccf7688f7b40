"""Groups of objects with a common name and different suffixes, such as the files of a dataset."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ddfast.errors import StorageError, StorageNotFoundError, UnsupportedIOError
from ddfast.storage.backends.objects import ObjectStorage
from ddfast.storage.backends.obstore_errors import (
    explained,
    is_condition_failed,
    is_condition_unknown,
    is_failure,
    unwritten,
)
from ddfast.storage.backends.stores import key_of, make_store, pending
from ddfast.storage.backends.threaded import AnyStorage, open_file_system
from ddfast.storage.base import Stat
from ddfast.storage.upload.uploads import (
    PART_BYTES,
    PARTS_AT_ONCE,
    Upload,
    open_upload,
    refuse_unwritable,
    temporary_name,
)
from ddfast.storage.urls import is_object, lengthened, shown, split_url

if TYPE_CHECKING:
    from obstore import PutMode

T = TypeVar("T")

# Seconds before the second attempt, and before further ones.
PAUSES = (0.1, 0.5, 2.0)


class ObjectGroup(ABC):
    """The object of a URL, and all objects whose names are longer by a suffix. Safe to use from several threads.

    Requests that fail in passing are retried within the time limits of the client.

    Parameters:
        url: of the object with the suffix ``""``.
        options: as for `open_upload`.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self.url = url
        self.name = shown(url)
        self.options = options

    def upload(self, suffix: str) -> Upload:
        """Begin to write an object of the group."""
        return open_upload(lengthened(self.url, suffix), **self.options)

    @abstractmethod
    def stat(self, suffix: str) -> Stat | None:
        """Size and version; None if the object does not exist.

        Raises:
            StorageError: the request failed.
        """

    @abstractmethod
    def read(self, suffix: str) -> bytes | None:
        """The whole object; None if it does not exist. Errors as `stat`."""

    @abstractmethod
    def put(self, suffix: str, content: Path | bytes) -> None:
        """Write an object, replacing an existing one.

        Parameters:
            suffix: of the object.
            content: its bytes, or the file that contains them.

        Raises:
            StorageError: the storage refused the object.
        """

    @abstractmethod
    def put_new(self, suffix: str, content: bytes) -> bool:
        """As `put`, but only if the object does not exist. With conditional writes, one of two calls succeeds.

        Returns:
            Whether the object has these bytes now.
        """

    @abstractmethod
    def remove(self, suffix: str) -> None:
        """Remove an object if it exists. Errors as `put`."""


def open_group(url: str, **options: Any) -> ObjectGroup:
    """Open the group of objects of a URL. No request is sent yet.

    Parameters:
        url: with a scheme other than ``file://``.
        options: as for `open_upload`.

    Raises:
        UnsupportedIOError: the URL is of a web server, or a chain of file systems.
        StorageOptionError, MissingPackageError: as for `open_storage`.
    """
    refuse_unwritable(url)
    if "::" in url:
        raise UnsupportedIOError(
            f"{shown(url)} cannot be written: it is a chain of file systems. Use the URL of a single one"
        )
    return StoreGroup(url, options) if is_object(url) else FileSystemGroup(url, options)


class StoreGroup(ObjectGroup):
    """Objects of an obstore store, over the same connections."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        super().__init__(url, options)
        self._part_bytes = options.get("part_bytes", PART_BYTES)
        self._location = split_url(url)
        own = {name: value for name, value in options.items() if name != "part_bytes"}
        self._store = make_store(self._location, own, retries=True)
        self._storage = ObjectStorage(url, **own)

    def stat(self, suffix: str) -> Stat | None:
        """By a HEAD request."""
        import obstore

        meta = self._ask(suffix, lambda key: obstore.head(self._store, key))
        return None if meta is None else Stat(meta["size"], meta["e_tag"])

    def read(self, suffix: str) -> bytes | None:
        """By one request."""
        import obstore

        return self._ask(suffix, lambda key: bytes(obstore.get(self._store, key).bytes()))

    def put(self, suffix: str, content: Path | bytes) -> None:
        """By one request, or in parts if the object is large."""
        self._put(suffix, content, "overwrite")

    def put_new(self, suffix: str, content: bytes) -> bool:
        """By one request with ``If-None-Match``, or by two where the store does not support that."""
        try:
            _retried(lambda: self._put(suffix, content, "create"))
        except StorageError as error:
            if is_condition_failed(error.__cause__):
                return self.read(suffix) == content  # an attempt without an answer may have succeeded
            if not is_condition_unknown(error.__cause__):
                raise
            if self.stat(suffix) is not None:
                return False
            self._put(suffix, content, "overwrite")
        return True

    def remove(self, suffix: str) -> None:
        """By one request."""
        _retried(lambda: self._remove(suffix))

    def _remove(self, suffix: str) -> None:
        import obstore

        try:
            obstore.delete(self._store, self._key(suffix))
        except FileNotFoundError:
            pass
        except Exception as error:
            raise unwritten(error, self.name + suffix, "removed") from error

    def _put(self, suffix: str, content: Path | bytes, mode: PutMode) -> None:
        import obstore

        settings = {"chunk_size": self._part_bytes, "max_concurrency": PARTS_AT_ONCE}
        try:
            obstore.put(self._store, self._key(suffix), content, mode=mode, **settings)
        except Exception as error:
            raise unwritten(error, self.name + suffix) from error

    def _key(self, suffix: str) -> str:
        pending.begin(self.name)
        return key_of(self._location) + suffix

    def _ask(self, suffix: str, request: Callable[[str], T]) -> T | None:
        """The result of a request for a key; None if the object does not exist."""
        try:
            return request(self._key(suffix))
        except Exception as error:
            if not is_failure(error):
                raise
            failure = explained(error, self._storage.beside(suffix), None)
            if isinstance(failure, StorageNotFoundError):
                return None
            raise failure from error


class FileSystemGroup(ObjectGroup):
    """Objects of a file system of fsspec, which have temporary names until they are complete."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        super().__init__(url, options)
        self._fs, self._path = open_file_system(url, options)

    def stat(self, suffix: str) -> Stat | None:
        """As `AnyStorage.stat`."""
        try:
            return self._storage(suffix).stat()
        except StorageNotFoundError:
            return None

    def read(self, suffix: str) -> bytes | None:
        """As `AnyStorage.read_all`."""
        try:
            return bytes(self._storage(suffix).read_all())
        except StorageNotFoundError:
            return None

    def put(self, suffix: str, content: Path | bytes) -> None:
        """Under a temporary name, then moved."""
        final = self._path + suffix
        temporary = temporary_name(final)
        try:
            if isinstance(content, bytes):
                self._fs.pipe_file(temporary, content)
            else:
                self._fs.put_file(os.fspath(content), temporary)
            self._fs.mv(temporary, final)
        except Exception as error:
            self._tidy(temporary)
            raise unwritten(error, self.name + suffix) from error

    def put_new(self, suffix: str, content: bytes) -> bool:
        """Checks first: file systems have no conditional writes."""
        if self.stat(suffix) is not None:
            return False
        self.put(suffix, content)
        return True

    def remove(self, suffix: str) -> None:
        """Checks first."""
        try:
            if self._fs.exists(self._path + suffix):
                self._fs.rm_file(self._path + suffix)
        except FileNotFoundError:
            pass
        except Exception as error:
            raise unwritten(error, self.name + suffix, "removed") from error

    def _storage(self, suffix: str) -> AnyStorage:
        return AnyStorage(self.url + suffix, _file_system=self._fs)

    def _tidy(self, path: str) -> None:
        try:
            self._fs.rm_file(path)
        except Exception:  # the error that came before is raised
            return


def _retried(request: Callable[[], None]) -> None:
    """Send a request, and retry requests without an answer, which obstore does not retry: they may have succeeded."""
    for pause in PAUSES:
        try:
            request()
            return
        except StorageError as error:
            if not error.passing or error.attempts > 1:
                raise
        time.sleep(pause)
    request()
