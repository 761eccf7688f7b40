"""The files of a dataset in the making: hidden neighbours that take the final names all at once."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIXES, path_append
from ddfast.format.journal import (
    Complete,
    Journal,
    Story,
    draft_path,
    finish,
    journal_path,
    name_in_journal,
    real_path,
    sync,
    take_names,
)
from ddfast.writer.book import Book, Piece
from ddfast.writer.indexing import (
    INDEX_SUFFIXES,
    IndexDraft,
    Offsets,
    discard,
    index_suffixes,
    uninterrupted,
)
from ddfast.writer.target import check_whole


class Draft:
    """The files that are being written, and the journal that says so. Nobody else writes them meanwhile.

    Parameters:
        path: where the data file will be.
        checksums: whether the dataset gets a checksums file.

    Attributes:
        data: where the data file is until then.
        suffixes: of the files beside it.
        journal: the lock, held until `leave`, `remove` or `publish`.
        sums: XXH3-64 of all samples that went through `note`.

    Raises:
        DatasetBusyError: another writer is at work.
        UnfinishedDatasetError: another writer died while its files took their names, and they cannot be renamed.
    """

    def __init__(self, path: Path, checksums: bool = True) -> None:
        self.path = path
        self.data = draft_path(path)
        self.sums = array("Q")
        self.suffixes = index_suffixes(checksums)
        self._index = IndexDraft(path)
        self._owner = os.getpid()
        self.journal = Journal(journal_path(path))
        try:
            finish(path, self.journal)
        except BaseException:
            self.journal.close()
            raise

    @property
    def files(self) -> list[Path]:
        """All temporary files but the journal."""
        return [self.data, *self._index.files]

    def left(self) -> Story | None:
        """What the journal tells of the samples that an earlier writer left; None where there are none."""
        if not self.data.exists() or self.data.stat().st_size == 0:
            return None
        return self.journal.read()

    def clear(self) -> None:
        """Begin anew: remove what an earlier writer left."""
        for file in self.files:
            file.unlink(missing_ok=True)
        self.journal.begin()

    def note(self, piece: Piece) -> None:
        """Tell the journal of samples that are about to be written."""
        sums = piece.checksums()
        self.journal.add_samples(piece.keys, piece.sizes, sums)
        self.sums.frombytes(sums.tobytes())

    def prepare(self, book: Book, digest: str) -> None:
        """Write the index of a data file that is complete and closed, and see all files safe on the disk.

        Parameters:
            book: what is known of its samples.
            digest: MD5 of the data file, in hexadecimal digits.

        Raises:
            DdfastError: the data file is not what the offsets say.
        """
        check_whole(str(self.path), self.data.stat().st_size, book, self.sums)
        folders = {self.data.parent, self.path.parent}
        with ThreadPoolExecutor(len(self.suffixes) + len(folders)) as threads:
            synced = threads.submit(sync, self.data)  # takes about as long as making the index
            self._index.write(book.keys, book.offsets, [(self.path.name, digest)])
            if SUFFIX_CHECKSUMS in self.suffixes:
                self._index.write_checksums(self.sums)
            index = [self._index.file(suffix) for suffix in self.suffixes]
            list(threads.map(sync, [*index, *folders]))  # the file system does several in one go
            synced.result()

    def publish(self) -> None:
        """Give all files their final names.

        Raises:
            OSError: a file could not be renamed; says where the new dataset is.
            KeyboardInterrupt: only when all is done.
        """
        self._publish(
            Complete(self.suffixes, True, real_path(self.path).exists(), name_in_journal(self.path))
        )

    def publish_index(self) -> None:
        """Give index files their final names; errors as those of `publish`."""
        self._publish(Complete(self.suffixes, False, False, name_in_journal(self.path)))

    def _publish(self, what: Complete) -> None:
        try:
            self.journal.add("complete", what.suffixes, what.data, what.replaces, what.name)
            self.journal.sync()
            uninterrupted(lambda: self._take_names(what))
        except OSError as error:
            reason = f"{error.strerror}. The dataset is complete as {self.data} and its neighbours"
            reason += f": `ddfast recover {self.path}` gives them their names"
            raise OSError(error.errno, reason, str(self.path)) from error
        finally:
            self.journal.close()

    def _take_names(self, what: Complete) -> None:
        take_names(self.path, what)
        if what.data or not self.data.exists():
            self.journal.remove()
        else:
            self.journal.add("named")  # it also knows of samples that another writer left

    def leave(self) -> None:
        """Keep what there is for somebody who goes on with it."""
        if os.getpid() == self._owner:
            if self.journal.is_open and not self.data.exists():
                self.journal.remove()  # it tells of nothing
            self.journal.close()

    def remove(self) -> None:
        """Remove all temporary files; but not in a child of the process that writes them."""
        if os.getpid() == self._owner and self.journal.is_open:
            discard(self.files)
            self.journal.remove()


def write_index(
    path: Path,
    keys: Sequence[str],
    offsets: Offsets,
    digests: Iterable[tuple[str, str]],
    order: Sequence[str] = INDEX_SUFFIXES,
    sums: NDArray[np.uint64] | None = None,
) -> list[Path]:
    """Write index and MD5 files beside a data file; those that exist are replaced once the new ones are complete.

    Parameters:
        path: the data file; it is not looked at.
        keys: of all samples.
        offsets: of all samples, and the size of the data file.
        digests: name and MD5 of files beside the index, for the first lines of the MD5 file.
        order: suffixes in the order of the lines that follow.
        sums: XXH3-64 of all samples, for a checksums file; None leaves the one that may exist.

    Returns:
        The files written.

    Raises:
        DatasetBusyError: a writer is at work on the dataset.
        OSError: the file system refuses.
    """
    draft = Draft(path, checksums=sums is not None)
    index = IndexDraft(path)
    try:
        index.write(keys, offsets, digests, order)
        if sums is not None:
            index.write_checksums(sums)
        for suffix in draft.suffixes:
            sync(index.file(suffix))
    except BaseException:
        discard(index.files)
        draft.leave()
        raise
    draft.publish_index()
    return [path_append(path, suffix) for suffix in draft.suffixes]


def write_sums(path: Path, sums: NDArray[np.uint64]) -> Path:
    """Write the checksums file of a data file alone; one that exists is replaced once the new one is complete.

    Parameters:
        path: the data file; it is not looked at.
        sums: XXH3-64 of all samples.

    Raises:
        DatasetBusyError: a writer is at work on the dataset.
        OSError: the file system refuses.
    """
    final = path_append(path, SUFFIX_CHECKSUMS)
    lock, index = Draft(path), IndexDraft(path)
    try:
        index.write_checksums(sums)
        sync(index.file(SUFFIX_CHECKSUMS))
        index.file(SUFFIX_CHECKSUMS).replace(final)
        sync(final.parent)
    finally:
        discard([index.file(SUFFIX_CHECKSUMS)])
        lock.leave()
    return final


def name_dataset(outfile: str | os.PathLike[str]) -> Path:
    """Make sure that a dataset may have a name. Folders are made.

    Raises:
        IsADirectoryError: a folder has this name.
        ValueError: an index file would have the name of the data file, or that is a link to another dataset.
    """
    path = Path(outfile)
    if path.suffix in SUFFIXES:
        raise ValueError(f"{path} has the name of an index file. Give the data file another suffix")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Name a file in it")
    real = real_path(path)
    if real.name != path.name and any(path_append(real, suffix).exists() for suffix in SUFFIXES):
        raise ValueError(
            f"{path} is a link to {real}, which has an index of its own: writing here would leave that dataset with "
            "the wrong one. Write to that name, or remove the link"
        )
    return path
