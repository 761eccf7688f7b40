"""An unfinished dataset under a URL: its data file is uploaded in parts, and appears when it is complete."""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from ddfast.errors import DatasetBusyError, StorageError
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_LEGACY_INDEX, SUFFIX_OFFSETS
from ddfast.storage import ObjectGroup, Stat, Upload, open_group
from ddfast.storage.urls import shown
from ddfast.writer.destination import CLOSE, Destination, ask_to_overwrite, check_size
from ddfast.writer.digest import Digest
from ddfast.writer.index_files import IndexFile, IndexFiles, uninterrupted
from ddfast.writer.names import LONGEST, check_url
from ddfast.writer.samples import PackedSamples, SampleBuffer

E = TypeVar("E", bound=StorageError)

# Every file system can have files whose names have so many bytes, and few can have files with longer names.
SHORT_NAME_BYTES = 255

UNCHANGED = (
    "Nothing of the new dataset is visible, and an existing dataset is unchanged. Write it again; or write it to a "
    "local disk, where resume=True continues after a failure, and copy its files"
)
INCOMPLETE = (
    "The old or the new data file exists, but its index may be incomplete: then it cannot be opened. Write the dataset "
    "again; or copy {url} to a local disk, write its index with `ddfast index`, and upload the index, the offsets last"
)


class RemoteDestination(Destination):
    """Objects in a store, or files in a file system of fsspec. The index files are written to a temporary folder.

    Parameters:
        url: of the data file.
        checksums: write a checksums file.
        options: those of `ddfast.storage.open_upload`.

    Raises:
        ValueError: as `check_url`.
        UnsupportedIOError: the URL is of a web server, which does not accept files.
        StorageOptionError, MissingPackageError: as of `ddfast.storage.open_storage`.
    """

    def __init__(self, url: str, checksums: bool, options: Mapping[str, Any]) -> None:
        super().__init__(check_url(url), shown(url))
        self._objects = open_group(url, **options)
        self._checksums = checksums
        self._folder: TemporaryDirectory[str] | None = None
        self._index: IndexFiles | None = None
        self._sums = array("Q")
        self._seen: dict[str, Stat | None] = {}
        self._upload: Upload | None = None
        self._owner = os.getpid()
        self._is_stopped = False

    @property
    def is_open(self) -> bool:
        """Whether samples can be written."""
        return self._upload is not None and not self._is_stopped

    def claim(self, overwrite: bool) -> bool:
        """Note what exists, and ask whether a dataset may be overwritten."""
        self._seen = {suffix: self._objects.stat(suffix) for suffix in ("", SUFFIX_OFFSETS)}
        if len(self.name.encode()) + len(LONGEST) > SHORT_NAME_BYTES:
            self._objects.stat(LONGEST)  # raises an error if the file system cannot have the file
        if self._seen[""] is not None and not overwrite:
            ask_to_overwrite(self.name, self.where)
        return False

    def begin(self, samples: SampleBuffer, digest: Digest) -> None:
        """Start the upload of the data file."""
        self._upload = self._objects.upload("")

    def write(self, chunk: PackedSamples) -> None:
        """Append samples. Waits while the maximum number of parts is being uploaded."""
        assert self._upload is not None
        self._sums.frombytes(chunk.checksums().tobytes())
        for buffer in chunk.buffers:
            self._upload.write(buffer)

    def finish(self) -> None:
        """Accept no more samples. The last part is uploaded when the dataset is published."""
        self._is_stopped = True

    def index_files(self, samples: SampleBuffer, digest: str) -> Iterator[IndexFile]:
        """Name in the temporary folder and content of each index file."""
        assert self._upload is not None
        check_size(self.where, self._upload.size, samples, self._sums)
        self._folder = TemporaryDirectory(prefix="ddfast-")
        self._index = IndexFiles(Path(self._folder.name, "index"), self._checksums, self.name)
        sums = self._sums if self._checksums else None
        yield from self._index.contents(samples.keys, samples.offsets, [(self.name, digest)], sums)

    def publish(self) -> None:
        """Upload the index and the end of the data file."""
        assert self._upload is not None
        assert self._folder is not None
        assert self._index is not None
        publication = RemotePublication(self._objects, self._upload, self._index, self._seen)
        try:
            uninterrupted(publication.run)
        finally:
            self._folder.cleanup()

    def stop(self) -> None:
        """Accept no more samples."""
        self._is_stopped = True

    def keep(self) -> None:
        """The same as `remove`: an upload cannot be continued."""
        self.remove()

    def keep_unclosed(self, unwritten: Callable[[int], Iterable[PackedSamples]]) -> str:
        """Abort the upload, which cannot be continued."""
        if os.getpid() != self._owner:
            return ""
        has_samples = bool(self._sums) or any(unwritten(0))
        self._is_stopped = True
        self.remove()
        if not has_samples:
            return ""
        return f"the writer of {self.where} was not closed, so its samples are lost. {UNCHANGED}. {CLOSE}"

    def remove(self) -> None:
        """Abort the upload, so that the store deletes its parts."""
        if os.getpid() != self._owner:
            return
        if self._upload is not None:
            with contextlib.suppress(StorageError):
                self._upload.abort()
        if self._folder is not None:
            self._folder.cleanup()

    def explain(self, error: OSError, size: int) -> OSError:
        """The error, with the note that nothing is visible."""
        if isinstance(error, StorageError):
            return with_advice(error, UNCHANGED)
        reason = f"{error.strerror or error}, while the index of {self.where} was written. {UNCHANGED}"
        return OSError(error.errno, reason, error.filename)


class RemotePublication:
    """Uploads index files and completes a data file, so that no reader ever finds data with other offsets.

    Objects are replaced one at a time, and a reader needs data and offsets. A dataset under a new name appears with
    its data file, after all other files. To replace a dataset, its offsets are removed first and the new ones are
    uploaded last, so there is no dataset in between; if this fails before the new data file exists, the old offsets are
    restored.

    Parameters:
        objects: the objects of the dataset.
        upload: of the data file, not committed yet.
        index: the index files.
        seen: data file and offsets file when the writer started, by suffix.
    """

    def __init__(
        self,
        objects: ObjectGroup,
        upload: Upload,
        index: IndexFiles,
        seen: Mapping[str, Stat | None],
    ) -> None:
        self._objects, self._upload, self._index, self._seen = objects, upload, index, seen
        self._incomplete = INCOMPLETE.format(url=objects.name)
        self._outcome = UNCHANGED  # state of the dataset after an error
        self._others = [suffix for suffix in index.suffixes if suffix != SUFFIX_OFFSETS]
        unused = [SUFFIX_LEGACY_INDEX, SUFFIX_CHECKSUMS]
        self._unused = [suffix for suffix in unused if suffix not in index.suffixes]

    def run(self) -> None:
        """Publish the dataset, or abort the upload.

        Raises:
            DatasetBusyError: another writer has written the dataset, or is writing it.
            StorageError: the storage refused; the message says what state the dataset is in.
        """
        try:
            if self._objects.stat("") != self._seen[""]:
                raise self._busy()
            if self._seen[""] is None:
                self._add()
            else:
                self._replace()
        except BaseException as error:
            with contextlib.suppress(StorageError):
                self._upload.abort()
            if isinstance(error, StorageError):
                raise with_advice(error, self._outcome) from error
            raise

    def _add(self) -> None:
        """Publish a dataset under a new name."""
        self._claim()
        try:
            self._put_others()
            self._commit()
        except BaseException:
            for suffix in self._index.suffixes:
                with contextlib.suppress(StorageError):
                    self._objects.remove(suffix)
            raise

    def _claim(self) -> None:
        """Upload the offsets, which only one of several writers can."""
        found = self._objects.stat(SUFFIX_OFFSETS)
        if found is not None and found == self._seen[SUFFIX_OFFSETS]:
            self._objects.remove(SUFFIX_OFFSETS)  # of a writer that was killed after it had uploaded them
        if not self._objects.put_new(SUFFIX_OFFSETS, self._index.path(SUFFIX_OFFSETS).read_bytes()):
            raise self._busy()

    def _replace(self) -> None:
        """Publish a dataset in place of another."""
        old = {suffix: self._objects.read(suffix) for suffix in (SUFFIX_OFFSETS, SUFFIX_LEGACY_INDEX)}
        try:
            self._remove(old)
            self._commit()
        except BaseException:
            self._restore(old)
            raise
        self._outcome = self._incomplete
        self._put_others()
        self._objects.put(SUFFIX_OFFSETS, self._index.path(SUFFIX_OFFSETS))

    def _restore(self, old: Mapping[str, bytes | None]) -> None:
        """Restore the index of the old dataset, if its data file certainly exists."""
        self._outcome = self._incomplete
        with contextlib.suppress(StorageError):
            if self._objects.stat("") == self._seen[""]:
                for suffix, content in old.items():
                    if content is not None:
                        self._objects.put(suffix, content)
                self._outcome = UNCHANGED

    def _commit(self) -> None:
        """Complete the data file."""
        try:
            self._upload.commit()
        except StorageError:
            if not self._is_committed():
                raise

    def _is_committed(self) -> bool:
        """Whether the data file exists, so that only the response to its upload was lost."""
        with contextlib.suppress(StorageError):
            found = self._objects.stat("")
            return found is not None and found != self._seen[""] and found.size == self._upload.size
        return False

    def _put_others(self) -> None:
        """Upload all index files but the offsets, and remove old ones that the new dataset does not have."""
        with ThreadPoolExecutor(len(self._others), "ddfast-index") as threads:
            list(
                threads.map(lambda suffix: self._objects.put(suffix, self._index.path(suffix)), self._others)
            )
        self._remove(self._unused)

    def _remove(self, suffixes: Iterable[str]) -> None:
        for suffix in suffixes:
            self._objects.remove(suffix)

    def _busy(self) -> DatasetBusyError:
        return DatasetBusyError(
            f"{self._objects.name} was written by another writer since this writer started, or is being written now. "
            "The existing dataset is unchanged, and this dataset is discarded. Write to another name, or after the "
            "other writer has finished"
        )


def with_advice(error: E, advice: str) -> E:
    """The same error, with what to do about it."""
    new = type(error)(f"{str(error).rstrip('.')}. {advice}")
    new.__dict__.update(error.__dict__)
    return new
