"""How the objects of a dataset come to be seen, in a store that replaces one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ddfast.errors import DatasetBusyError, StorageError
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_LEGACY_INDEX, SUFFIX_OFFSETS
from ddfast.storage import ObjectGroup as Neighbours
from ddfast.storage import Stat, Upload
from ddfast.writer.indexing import IndexDraft

E = TypeVar("E", bound=StorageError)

UNTOUCHED = (
    "Nothing of the new dataset is seen, and what was there before is as it was. Write it again; or write it to a "
    "disk, where resume=True goes on after a failure, and copy its files"
)
BARE = (
    "A data file is there, the old or the new one, but its index may be incomplete: then it cannot be opened. Write "
    "the dataset again; or copy {url} to a disk, where `ddfast index` makes an index, and copy that to its place, the "
    "offsets last"
)


class Handover:
    """Puts the files of a dataset in their places, so that nobody ever sees data beside the offsets of another.

    A reader needs data and offsets. A dataset that is new under its name appears with its data file, when all else is
    there. Where it replaces another, the old offsets go first and the new ones come last, so in between there is
    no dataset. Should it fail before the new data file is there, the old offsets are put back.

    Parameters:
        objects: where they belong.
        upload: the data file, which only lacks its end.
        index: the files of the index.
        suffixes: of these.
        seen: data file and offsets file, as they were when the writer began.
    """

    def __init__(
        self,
        objects: Neighbours,
        upload: Upload,
        index: IndexDraft,
        suffixes: Iterable[str],
        seen: Mapping[str, Stat | None],
    ) -> None:
        self._objects, self._upload, self._index, self._seen = objects, upload, index, seen
        self._suffixes = tuple(suffixes)
        self._bare = BARE.format(url=objects.name)
        self._outcome = UNTOUCHED  # what is there after an error
        self._others = [suffix for suffix in self._suffixes if suffix != SUFFIX_OFFSETS]
        unused = [SUFFIX_LEGACY_INDEX, SUFFIX_CHECKSUMS]
        self._unused = [suffix for suffix in unused if suffix not in self._suffixes]

    def run(self) -> None:
        """Do it, or give the upload up.

        Raises:
            DatasetBusyError: somebody else has written a dataset of this name, or is about to.
            StorageError: the storage refuses; says what is there now.
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
                raise advised(error, self._outcome) from error
            raise

    def _add(self) -> None:
        """Show a dataset where there was none."""
        self._claim()
        try:
            self._put_others()
            self._commit()
        except BaseException:
            for suffix in self._suffixes:
                with contextlib.suppress(StorageError):
                    self._objects.remove(suffix)
            raise

    def _claim(self) -> None:
        """Put the offsets, which only one of several writers can."""
        found = self._objects.stat(SUFFIX_OFFSETS)
        if found is not None and found == self._seen[SUFFIX_OFFSETS]:
            self._objects.remove(SUFFIX_OFFSETS)  # of a writer that was killed right here
        if not self._objects.put_new(SUFFIX_OFFSETS, self._index.file(SUFFIX_OFFSETS).read_bytes()):
            raise self._busy()

    def _replace(self) -> None:
        """Show a dataset in place of another."""
        old = {suffix: self._objects.read(suffix) for suffix in (SUFFIX_OFFSETS, SUFFIX_LEGACY_INDEX)}
        try:
            self._remove(old)
            self._commit()
        except BaseException:
            self._put_back(old)
            raise
        self._outcome = self._bare
        self._put_others()
        self._objects.put(SUFFIX_OFFSETS, self._index.file(SUFFIX_OFFSETS))

    def _put_back(self, old: Mapping[str, bytes | None]) -> None:
        """Put the index of the old dataset back, if its data file is surely there."""
        self._outcome = self._bare
        with contextlib.suppress(StorageError):
            if self._objects.stat("") == self._seen[""]:
                for suffix, content in old.items():
                    if content is not None:
                        self._objects.put(suffix, content)
                self._outcome = UNTOUCHED

    def _commit(self) -> None:
        """Let the data file be seen."""
        try:
            self._upload.commit()
        except StorageError:
            if not self._has_arrived():
                raise

    def _has_arrived(self) -> bool:
        """Whether the data file is there, and only the answer that says so was lost."""
        with contextlib.suppress(StorageError):
            found = self._objects.stat("")
            return found is not None and found != self._seen[""] and found.size == self._upload.size
        return False

    def _put_others(self) -> None:
        """Put all but the offsets, and remove what does not belong to the dataset."""
        with ThreadPoolExecutor(len(self._others), "ddfast-index") as threads:
            list(
                threads.map(lambda suffix: self._objects.put(suffix, self._index.file(suffix)), self._others)
            )
        self._remove(self._unused)

    def _remove(self, suffixes: Iterable[str]) -> None:
        for suffix in suffixes:
            self._objects.remove(suffix)

    def _busy(self) -> DatasetBusyError:
        return DatasetBusyError(
            f"{self._objects.name} was written by somebody else since this writer began, or is being written. What is "
            "there stays, and this dataset is given up. Write to another name, or one after the other"
        )


def advised(error: E, advice: str) -> E:
    """The same error, with the way out."""
    new = type(error)(f"{error}. {advice}")
    new.__dict__.update(error.__dict__)
    return new
