"""The index files of a dataset: written under temporary names, and renamed when all are complete."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast.format.drafts import create, set_access, status_of
from ddfast.format.files import (
    SUFFIX_CHECKSUMS,
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_MD5,
    SUFFIX_OFFSETS,
    draft_path,
    hidden_path,
    path_append,
)
from ddfast.format.index import pack_checksums, pack_filter, pack_key_hashes, pack_keys, pack_offsets
from ddfast.format.journal import Journal, Publication
from ddfast.format.publication import model_of, open_journal, publication_of, rename_files, steps, sync

INDEX_SUFFIXES = (SUFFIX_OFFSETS, SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER)

Offsets = Sequence[int] | NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class IndexFile:
    """An index file that is to be written under its temporary name.

    Parameters:
        path: of the file.
        content: of the file.
        model: status of the file whose access rights the file gets, if there is one.
    """

    path: Path
    content: bytes | bytearray
    model: os.stat_result | None

    def create(self, path: str, flags: int) -> int:  # the arguments of an opener
        """Create the file, for the ``opener`` of ``open``. What has its name is removed; a link is not followed."""
        file = create(self.path, self.model)
        if self.model is not None:
            set_access(file, self.model)
        return file

    def write(self) -> None:
        """Write the file.

        Raises:
            OSError: it cannot be written.
        """
        with open(self.path, "wb", opener=self.create) as file:  # pathlib has no opener
            file.write(self.content)


class IndexFiles:
    """The index files of a data file, under temporary names.

    Parameters:
        path: the data file.
        checksums: whether a checksums file is one of them.
        name: of the data file in the MD5 file, if it is not that of `path`.

    Attributes:
        suffixes: of the files.
    """

    def __init__(self, path: Path, checksums: bool, name: str | None = None) -> None:
        self.suffixes = (*INDEX_SUFFIXES, SUFFIX_MD5, *([SUFFIX_CHECKSUMS] if checksums else []))
        self._path = path
        self._name = name or path.name
        self._temporary = hidden_path(path, ".draft")

    def path(self, suffix: str) -> Path:
        """The temporary name of a file."""
        return path_append(self._temporary, suffix)

    @property
    def paths(self) -> list[Path]:
        """The temporary names of all files."""
        return [self.path(suffix) for suffix in self.suffixes]

    def contents(
        self,
        keys: Sequence[str],
        offsets: Offsets,
        digests: Iterable[tuple[str, str]],
        sums: ArrayLike | None = None,
        order: Sequence[str] = INDEX_SUFFIXES,
    ) -> Iterator[IndexFile]:
        """Name and content of each file, for the caller to write.

        Parameters:
            keys: of all samples.
            offsets: of all samples, and the size of the data file.
            digests: name and MD5 of other files, for the first lines of the MD5 file.
            sums: XXH3-64 of all samples, for the checksums file, which the MD5 file does not list.
            order: suffixes in the order of the other lines.
        """
        lines = {}
        for suffix in INDEX_SUFFIXES:
            content = _pack(suffix, keys, offsets)
            lines[suffix] = (
                f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {self._name}{suffix}\n"
            )
            yield self.file(suffix, content)
        text = "".join([*(f"{digest}  {name}\n" for name, digest in digests), *map(lines.__getitem__, order)])
        yield self.file(SUFFIX_MD5, text.encode())
        if sums is not None:
            yield self.file(SUFFIX_CHECKSUMS, pack_checksums(sums))

    def file(self, suffix: str, content: bytes | bytearray) -> IndexFile:
        """A file with a content."""
        return IndexFile(self.path(suffix), content, model_of(self._path, suffix))

    def remove(self) -> None:
        """Remove all temporary files that exist, those of earlier writers with other options, too."""
        remove_files([*self.paths, self.path(SUFFIX_CHECKSUMS)])


def _pack(suffix: str, keys: Sequence[str], offsets: Offsets) -> bytes | bytearray:
    if suffix == SUFFIX_OFFSETS:
        return pack_offsets(offsets)
    if suffix == SUFFIX_KEYS:
        return pack_keys(keys)
    return pack_key_hashes(keys) if suffix == SUFFIX_KEY_HASHES else pack_filter(keys)


def write_index(
    path: Path,
    keys: Sequence[str],
    offsets: Offsets,
    digests: Iterable[tuple[str, str]],
    order: Sequence[str] = INDEX_SUFFIXES,
    sums: NDArray[np.uint64] | None = None,
) -> list[Path]:
    """Write the index and MD5 files of a data file. Existing files are replaced when all new ones are complete.

    Parameters:
        path: the data file, which is not read.
        keys: of all samples.
        offsets: of all samples, and the size of the data file.
        digests: name and MD5 of other files, for the first lines of the MD5 file.
        order: suffixes in the order of the other lines.
        sums: XXH3-64 of all samples, for a checksums file; None keeps an existing one.

    Returns:
        The files written.

    Raises:
        DatasetBusyError: a writer is writing the dataset.
        OSError: a file cannot be written.
    """
    journal = open_journal(path)
    index = IndexFiles(path, checksums=sums is not None)
    try:
        for file in index.contents(keys, offsets, digests, sums, order):
            file.write()
        for temporary in index.paths:
            sync(temporary)
    except BaseException:
        index.remove()
        release(path, journal)
        raise
    publish(path, publication_of(path, index.suffixes, data=False), journal)
    return [path_append(path, suffix) for suffix in index.suffixes]


def write_sums(path: Path, sums: NDArray[np.uint64]) -> Path:
    """Write the checksums file of a data file. An existing file is replaced when the new one is complete.

    Parameters:
        path: the data file, which is not read.
        sums: XXH3-64 of all samples.

    Raises:
        DatasetBusyError: a writer is writing the dataset.
        OSError: the file cannot be written.
    """
    final = path_append(path, SUFFIX_CHECKSUMS)
    journal = open_journal(path)
    index = IndexFiles(path, checksums=True)
    temporary = index.path(SUFFIX_CHECKSUMS)
    try:
        index.file(SUFFIX_CHECKSUMS, pack_checksums(sums)).write()
        sync(temporary)
        temporary.replace(final)
        sync(final.parent)
    finally:
        remove_files([temporary])
        release(path, journal)
    return final


def publish(path: Path, publication: Publication, journal: Journal) -> None:
    """Rename the files of a complete dataset, and close its journal.

    Raises:
        FileNotFoundError: a file is not where it was written; none is renamed.
        OSError: a file cannot be renamed; the message says how to finish.
        KeyboardInterrupt: only after all files are renamed.
    """

    def rename() -> None:
        rename_files(path, publication)
        if publication.data or not draft_path(path).exists():
            journal.remove()
        else:
            journal.add("named")  # the journal also lists the samples of another writer's draft

    try:
        _require_drafts(path, publication)
    except OSError:
        journal.close()
        raise
    try:
        journal.add(
            "complete", publication.suffixes, publication.data, publication.replaces, publication.name
        )
        journal.sync()
        uninterrupted(rename)
    except OSError as error:
        reason = f"{error.strerror}. The dataset is complete as {draft_path(path)} and the files next to it"
        reason += f": run `ddfast recover {path}` to rename them"
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        journal.close()


def _require_drafts(path: Path, publication: Publication) -> None:
    """Raise FileNotFoundError if a file that is to be renamed does not exist."""
    for draft, _ in steps(path, publication):
        if draft is not None and status_of(draft) is None:
            reason = f"{draft.name} was removed, or the path was changed, while the dataset was written. "
            reason += "Find the file under the old path, rename its folder back, and run `ddfast recover`"
            raise FileNotFoundError(errno.ENOENT, reason, str(path))


def release(path: Path, journal: Journal) -> None:
    """Close the journal of a dataset; remove it if there is no draft."""
    if journal.is_open and not draft_path(path).exists():
        journal.remove()
    journal.close()


def uninterrupted(work: Callable[[], None]) -> None:
    """Call a function that Ctrl-C does not interrupt; KeyboardInterrupt is raised when it has returned."""
    with ThreadPoolExecutor(1) as thread:
        try:
            done = thread.submit(work)
        except RuntimeError:  # the interpreter is exiting
            work()
        else:
            done.result()


def remove_files(files: Iterable[Path]) -> None:
    """Remove files, which need not exist."""
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink()
