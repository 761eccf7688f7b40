"""The files of a dataset in the making: temporary neighbours that take the final names all at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ddfast.errors import DdfastError
from ddfast.files import (
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    path_append,
)
from ddfast.tools import query_user
from ddfast.writer.book import Book
from ddfast.writer.indexing import (
    INDEX_SUFFIXES,
    SUFFIX_MD5,
    IndexDraft,
    sync,
    temporary_name,
    uninterrupted,
)

RESERVED_SUFFIXES = {SUFFIX_LEGACY_INDEX, *INDEX_SUFFIXES, SUFFIX_MD5}


class Draft:
    """Names of the files that are being written, and what happens to them in the end. Nothing is made here.

    Attributes:
        path: where the data file will be.
        data: where it is until then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Where a name is a symbolic link, what it points to is replaced.
        self._final_data = Path(os.path.realpath(path))
        name = temporary_name(path)
        self.data = self._final_data.with_name(name)
        self._index = IndexDraft(path, name)

    @property
    def files(self) -> list[Path]:
        """All temporary files."""
        return [self.data, *self._index.files]

    def prepare(self, book: Book, digest: str) -> None:
        """Write the index of a data file that is complete and closed, and see all files safe on the disk.

        Parameters:
            book: what is known of its samples.
            digest: MD5 of the data file, in hexadecimal digits.

        Raises:
            DdfastError: the data file is not what the offsets say.
        """
        keys, offsets, size = book.keys, book.offsets, self.data.stat().st_size
        if size != offsets[-1] or len(keys) + 1 != len(offsets):
            raise DdfastError(
                f"{self.path}: {size:,} bytes were written for {len(keys):,} samples of {offsets[-1]:,} "
                "bytes, as it happens where a write was interrupted. Write the dataset again"
            )
        data, *index = self.files
        with ThreadPoolExecutor(len(index)) as threads:
            synced = threads.submit(sync, data)  # takes about as long as making the index
            self._index.write(keys, offsets, [(self.path.name, digest)], bloom=book.bloom)
            list(threads.map(sync, index))  # the file system does several in one go
            synced.result()

    def publish(self) -> None:
        """Give all files their final names.

        Raises:
            OSError: a file could not be renamed; says where the new dataset is.
            KeyboardInterrupt: only when all is done.
        """
        try:
            uninterrupted(self._take_names)
        except OSError as error:
            reason = f"{error.strerror}. The dataset is complete as {self.data} and its neighbours"
            raise OSError(error.errno, reason, str(self.path)) from error

    def _take_names(self) -> None:
        """Rename the files so that nobody ever sees a data file beside the offsets of another.

        A reader needs data and offsets. Old offsets go first and the new ones come last, so in between there
        is no dataset; one that is new under its name appears with its data file, when all else is there.
        """
        replaces = self._final_data.exists()
        path_append(self.path, SUFFIX_LEGACY_INDEX).unlink(missing_ok=True)
        if replaces:
            path_append(self.path, SUFFIX_OFFSETS).unlink(missing_ok=True)
        for suffix in (SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_MD5):
            self._index.rename(suffix)
        if replaces:
            self.data.replace(self._final_data)
            self._index.rename(SUFFIX_OFFSETS)
        else:
            self._index.rename(SUFFIX_OFFSETS)
            self.data.replace(self._final_data)
        for folder in {self._final_data.parent, self.path.parent}:
            sync(folder)


def claim(outfile: str | os.PathLike[str], overwrite: bool) -> Path:
    """Make sure that a dataset may be written here; ask the user where one exists. Folders are made.

    Raises:
        FileExistsError: the user wants to keep what exists.
        KeyboardInterrupt: the user wants to stop.
        IsADirectoryError: a folder has this name.
        ValueError: an index file would have the name of the data file.
    """
    path = Path(outfile)
    if path.suffix in RESERVED_SUFFIXES:
        raise ValueError(f"{path} has the name of an index file. Give the data file another suffix")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Name a file in it")
    if path.exists() and not overwrite:
        answer = query_user(f"{path.name} exists, overwrite?")
        if answer == "no":
            raise FileExistsError(path)
        if answer == "abort":
            raise KeyboardInterrupt(path)
    return path
