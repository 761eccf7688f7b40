"""Objects beside each other, such as the files of a dataset: looked at, put and removed as a whole."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ddfast.errors import StorageError, StorageNotFoundError, UnsupportedIOError
from ddfast.storage.backends.anywhere import AnyStorage, open_file_system
from ddfast.storage.backends.leaving import requests
from ddfast.storage.backends.objects import ObjectStorage
from ddfast.storage.backends.obstore_errors import explained, is_failure, status_of
from ddfast.storage.backends.stores import key_of, make_store
from ddfast.storage.base import Stat
from ddfast.storage.open import is_object
from ddfast.storage.upload.uploads import (
    PART_BYTES,
    PARTS_AT_ONCE,
    Upload,
    open_upload,
    refuse_unwritable,
    temporary,
    unwritten,
)
from ddfast.storage.urls import lengthened, shown, split_url

if TYPE_CHECKING:
    from obstore import PutMode

T = TypeVar("T")

# Seconds before the second attempt, and before further ones.
PAUSES = (0.1, 0.5, 2.0)

# What S3 servers answer that do not know the header.
NO_CONDITION = (400, 501)


class Neighbours(ABC):
    """The object of a URL, and all whose names are longer by a suffix. Its methods may be called by several threads.

    What may pass is tried again, within the time that the client allows.

    Parameters:
        url: of the object that has the suffix ``""``.
        options: as for `open_upload`.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self.url = url
        self.name = shown(url)
        self.options = options

    def upload(self, suffix: str) -> Upload:
        """Begin to write one of them."""
        return open_upload(lengthened(self.url, suffix), **self.options)

    @abstractmethod
    def stat(self, suffix: str) -> Stat | None:
        """Size and version; None where there is no such object.

        Raises:
            StorageError: the storage does not tell.
        """

    @abstractmethod
    def read(self, suffix: str) -> bytes | None:
        """The whole object; None where there is none. Errors as those of `stat`."""

    @abstractmethod
    def put(self, suffix: str, content: Path | bytes) -> None:
        """Put an object there, in place of another if need be.

        Parameters:
            suffix: which one.
            content: its bytes, or the file that has them.

        Raises:
            StorageError: the storage refuses.
        """

    @abstractmethod
    def put_new(self, suffix: str, content: bytes) -> bool:
        """As `put`, but only where there is no such object; of two who do so, all stores with conditions let one.

        Returns:
            Whether the object has these bytes now.
        """

    @abstractmethod
    def remove(self, suffix: str) -> None:
        """Remove an object, which need not be there. Errors as those of `put`."""


def open_neighbours(url: str, **options: Any) -> Neighbours:
    """The objects beside a URL, of which nothing is asked yet.

    Parameters:
        url: with a scheme; not ``file://``, which `pathlib` knows better.
        options: as for `open_upload`.

    Raises:
        UnsupportedIOError: a web server takes no files, nor does a chain of file systems.
        StorageOptionError, MissingPackageError: as for `open_storage`.
    """
    refuse_unwritable(url)
    if "::" in url:
        raise UnsupportedIOError(
            f"{shown(url)} cannot be written to: it is a chain of file systems. Name one"
        )
    return ObjectNeighbours(url, options) if is_object(url) else AnyNeighbours(url, options)


class ObjectNeighbours(Neighbours):
    """Objects of a store that obstore knows, over the same connections."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        super().__init__(url, options)
        self._part_bytes = options.get("part_bytes", PART_BYTES)
        self._location = split_url(url)
        own = {name: value for name, value in options.items() if name != "part_bytes"}
        self._store = make_store(self._location, own, retries=True)
        self._storage = ObjectStorage(url, **own)

    def stat(self, suffix: str) -> Stat | None:
        """Asks for the head of the object."""
        import obstore

        meta = self._ask(suffix, lambda key: obstore.head(self._store, key))
        return None if meta is None else Stat(meta["size"], meta["e_tag"])

    def read(self, suffix: str) -> bytes | None:
        """Gets the object by one request."""
        import obstore

        return self._ask(suffix, lambda key: bytes(obstore.get(self._store, key).bytes()))

    def put(self, suffix: str, content: Path | bytes) -> None:
        """By one request, or in parts where it is long."""
        self._put(suffix, content, "overwrite")

    def put_new(self, suffix: str, content: bytes) -> bool:
        """By one request with ``If-None-Match``; where the store does not know that, it looks first."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            _patiently(lambda: self._put(suffix, content, "create"))
        except StorageError as error:
            if isinstance(error.__cause__, AlreadyExistsError | PreconditionError):
                return self.read(suffix) == content  # an attempt may have come through without an answer
            if not _knows_no_condition(error.__cause__):
                raise
            if self.stat(suffix) is not None:
                return False
            self._put(suffix, content, "overwrite")
        return True

    def remove(self, suffix: str) -> None:
        """By one request."""
        _patiently(lambda: self._remove(suffix))

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
        requests.begin(self.name)
        return key_of(self._location) + suffix

    def _ask(self, suffix: str, request: Callable[[str], T]) -> T | None:
        """What a request for a key gives; None where there is no such object."""
        try:
            return request(self._key(suffix))
        except Exception as error:
            if not is_failure(error):
                raise
            failure = explained(error, self._storage.beside(suffix), None)
            if isinstance(failure, StorageNotFoundError):
                return None
            raise failure from error


class AnyNeighbours(Neighbours):
    """Objects of a file system of fsspec, written under another name and moved."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        super().__init__(url, options)
        self._fs, self._path = open_file_system(url, options)

    def stat(self, suffix: str) -> Stat | None:
        """Asks the file system."""
        try:
            return self._storage(suffix).stat()
        except StorageNotFoundError:
            return None

    def read(self, suffix: str) -> bytes | None:
        """Reads it whole."""
        try:
            return bytes(self._storage(suffix).read_all())
        except StorageNotFoundError:
            return None

    def put(self, suffix: str, content: Path | bytes) -> None:
        """Under another name, which is moved."""
        final = self._path + suffix
        draft = temporary(final)
        try:
            if isinstance(content, bytes):
                self._fs.pipe_file(draft, content)
            else:
                self._fs.put_file(os.fspath(content), draft)
            self._fs.mv(draft, final)
        except Exception as error:
            self._tidy(draft)
            raise unwritten(error, self.name + suffix) from error

    def put_new(self, suffix: str, content: bytes) -> bool:
        """Looks first; there is no way to do both at once."""
        if self.stat(suffix) is not None:
            return False
        self.put(suffix, content)
        return True

    def remove(self, suffix: str) -> None:
        """Looks first."""
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
        except Exception:  # there is another one to tell of
            return


def _patiently(request: Callable[[], None]) -> None:
    """Make a request, and repeat what obstore does not: requests without an answer that may have come through."""
    for pause in PAUSES:
        try:
            request()
            return
        except StorageError as error:
            if not error.passing or error.attempts > 1:
                raise
        time.sleep(pause)
    request()


def _knows_no_condition(error: BaseException | None) -> bool:
    from obstore.exceptions import NotSupportedError

    return isinstance(error, NotSupportedError | NotImplementedError) or (
        isinstance(error, Exception) and status_of(error) in NO_CONDITION
    )
