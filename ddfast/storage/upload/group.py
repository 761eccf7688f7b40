"""Groups of objects with a common name and different suffixes, such as the files of a dataset."""

from __future__ import annotations

import contextlib
import io
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddfast._util.secrets import Secrets, calling
from ddfast.errors import StorageError, StorageNotFoundError, UnsupportedIOError
from ddfast.storage.backends.failures import (
    explained,
    is_condition_failed,
    is_condition_unknown,
    is_failure,
    unwritten,
)
from ddfast.storage.backends.files import AnyStorage, open_file_system
from ddfast.storage.backends.objects import ObjectStorage, StoreClient
from ddfast.storage.backends.stores import key_of, pending
from ddfast.storage.base import Stat, Storage
from ddfast.storage.upload.uploads import (
    PART_BYTES,
    PARTS_AT_ONCE,
    FileUpload,
    Upload,
    open_upload,
    refuse_unwritable,
)
from ddfast.storage.urls import is_object, lengthened, shown, split_url

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import ObjectStore

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
        self._secrets = Secrets(url, options)

    def upload(self, suffix: str) -> Upload:
        """Begin to write an object of the group."""
        return open_upload(lengthened(self.url, suffix), **self.options)

    def stat(self, suffix: str) -> Stat | None:
        """Size and version; None if the object does not exist.

        Raises:
            StorageError: the request failed.
        """
        try:
            return self._storage(suffix).stat()
        except StorageNotFoundError:
            return None

    def read(self, suffix: str) -> bytes | None:
        """The whole object; None if it does not exist. Errors as `stat`."""
        try:
            return bytes(self._storage(suffix).read_all())
        except StorageNotFoundError:
            return None

    @abstractmethod
    def _storage(self, suffix: str) -> Storage:
        """What reads an object, with retries where the client has them."""

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
        own = {name: value for name, value in options.items() if name != "part_bytes"}
        self._client = StoreClient(split_url(url), own, retries=True)
        self._first = ObjectStorage(url, _client=self._client, **own)

    def _storage(self, suffix: str) -> ObjectStorage:
        return self._first.beside(suffix)

    def stat(self, suffix: str) -> Stat | None:
        """By a single HEAD request."""
        import obstore

        try:
            meta = obstore.head(*self._place(suffix))
        except Exception as error:
            if not is_failure(error):
                raise
            failure = explained(error, self._storage(suffix), None)
            if isinstance(failure, StorageNotFoundError):
                return None
            raise failure from error
        return Stat(meta["size"], meta["e_tag"])

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
            obstore.delete(*self._place(suffix))
        except FileNotFoundError:
            pass
        except Exception as error:
            raise unwritten(error, self.name + suffix, self._secrets, "removed") from error

    def _put(self, suffix: str, content: Path | bytes, mode: PutMode) -> None:
        import obstore

        settings = {"chunk_size": self._part_bytes, "max_concurrency": PARTS_AT_ONCE}
        try:
            obstore.put(*self._place(suffix), content, mode=mode, **settings)
        except Exception as error:
            raise unwritten(error, self.name + suffix, self._secrets) from error

    def _place(self, suffix: str) -> tuple[ObjectStore, str]:
        """The store, and the key of an object, for a request."""
        pending.begin(self.name)
        return self._client.store, key_of(split_url(self.url)) + suffix


class FileSystemGroup(ObjectGroup):
    """Objects of a file system of fsspec, which have temporary names until they are complete."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        super().__init__(url, options)
        self._fs, self._path = open_file_system(url, options)

    def _storage(self, suffix: str) -> AnyStorage:
        return AnyStorage(self.url + suffix, _file_system=self._fs)

    def upload(self, suffix: str) -> Upload:
        """Begin to write an object of the group."""
        return FileUpload(self.url + suffix, self._fs, self._path + suffix, self.options)

    def put(self, suffix: str, content: Path | bytes) -> None:
        """By an upload."""
        source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        with source, self.upload(suffix) as upload:
            shutil.copyfileobj(source, upload, PART_BYTES)

    def put_new(self, suffix: str, content: bytes) -> bool:
        """Checks first: file systems have no conditional writes."""
        if self.stat(suffix) is not None:
            return False
        self.put(suffix, content)
        return True

    def remove(self, suffix: str) -> None:
        """Checks first."""
        calling(
            lambda: self._remove(self._path + suffix),
            lambda error: unwritten(error, self.name + suffix, self._secrets, "removed"),
        )

    def _remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._fs.exists(path):
                self._fs.rm_file(path)


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
