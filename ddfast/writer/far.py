"""A dataset in the making that is far away: its data file is sent in parts, and seen when all is there."""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ddfast.errors import StorageError
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_OFFSETS, SUFFIXES
from ddfast.storage import Stat, Upload
from ddfast.storage import open_group as open_neighbours
from ddfast.storage.urls import shown, split_url
from ddfast.writer.book import Book, Piece
from ddfast.writer.digest import Digest
from ddfast.writer.handover import UNTOUCHED, Handover, advised
from ddfast.writer.indexing import IndexDraft, index_suffixes, uninterrupted
from ddfast.writer.target import Target, ask, check_whole


class FarTarget(Target):
    """Objects in a store, or files in a file system of fsspec. The index is made in a temporary folder.

    Parameters:
        url: of the data file.
        checksums: make a checksums file.
        options: those of `ddfast.storage.open_upload`.

    Raises:
        ValueError: the URL has no name, or that of an index file.
        UnsupportedIOError: a web server takes no files.
        StorageOptionError, MissingPackageError: as of `ddfast.storage.open_storage`.
    """

    def __init__(self, url: str, checksums: bool, options: Mapping[str, Any]) -> None:
        super().__init__(_name_of(url), shown(url))
        self._objects = open_neighbours(url, **options)
        self._suffixes = index_suffixes(checksums)
        self._sums = array("Q")
        self._seen: dict[str, Stat | None] = {}
        self._upload: Upload | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._owner = os.getpid()
        self._is_stopped = False

    @property
    def is_open(self) -> bool:
        """Whether the data file takes more."""
        return self._upload is not None and not self._is_stopped

    def take_over(self, overwrite: bool) -> bool:
        """Remember what is there, and ask about a dataset."""
        self._seen = {suffix: self._objects.stat(suffix) for suffix in ("", SUFFIX_OFFSETS)}
        if self._seen[""] is not None and not overwrite:
            ask(self.name, self.where)
        return False

    def begin(self, book: Book, digest: Digest) -> None:
        """Begin the data file."""
        self._upload = self._objects.upload("")

    def write(self, piece: Piece) -> None:
        """Append samples; waits where as many parts are on their way as may be."""
        assert self._upload is not None
        self._sums.frombytes(piece.checksums().tobytes())
        for buffer in piece.buffers:
            self._upload.write(buffer)

    def finish(self) -> None:
        """Take no more samples. The last part is sent when the dataset is published."""
        self._is_stopped = True

    def prepare(self, book: Book, digest: str) -> None:
        """Make the index."""
        assert self._upload is not None
        check_whole(self.where, self._upload.size, book, self._sums)
        self._folder = TemporaryDirectory(prefix="ddfast-")
        index = self._index(self._folder)
        index.write(book.keys, book.offsets, [(self.name, digest)])
        if SUFFIX_CHECKSUMS in self._suffixes:
            index.write_checksums(self._sums)

    def publish(self) -> None:
        """Send the index and the end of the data file."""
        assert self._upload is not None
        assert self._folder is not None
        index = self._index(self._folder)
        handover = Handover(self._objects, self._upload, index, self._suffixes, self._seen)
        try:
            uninterrupted(handover.run)
        finally:
            self._folder.cleanup()

    def stop(self) -> None:
        """Take no more samples."""
        self._is_stopped = True

    def leave(self) -> None:
        """Nobody can go on with an upload: the same as `remove`."""
        self.remove()

    def remove(self) -> None:
        """Have the store forget the parts."""
        if os.getpid() != self._owner:
            return
        if self._upload is not None:
            with contextlib.suppress(StorageError):
                self._upload.abort()
        if self._folder is not None:
            self._folder.cleanup()

    def failed(self, error: OSError, size: int) -> OSError:
        """Says that nothing is seen."""
        if isinstance(error, StorageError):
            return advised(error, UNTOUCHED)
        reason = f"{error.strerror or error}, while the index of {self.where} was made. {UNTOUCHED}"
        return OSError(error.errno, reason, error.filename)

    def _index(self, folder: TemporaryDirectory[str]) -> IndexDraft:
        return IndexDraft(Path(folder.name, self.name))


def _name_of(url: str) -> str:
    """The last part of a URL."""
    key = split_url(url).key
    name = PurePosixPath(key).name
    if not name or key.endswith("/"):
        raise ValueError(f"{shown(url)} has no name for the data file. Name one below it")
    if PurePosixPath(name).suffix in SUFFIXES:
        raise ValueError(f"{shown(url)} has the name of an index file. Give the data file another suffix")
    return name
