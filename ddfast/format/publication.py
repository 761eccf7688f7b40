"""Renames the files of a complete dataset to their final names, and finishes that after a crash."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ddfast.errors import DatasetBusyError, UnfinishedDatasetError
from ddfast.format.drafts import not_regular, open_regular, status_of
from ddfast.format.files import (
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    SUFFIXES,
    draft_path,
    hidden_path,
    journal_path,
    path_append,
    real_path,
)
from ddfast.format.journal import Journal, Publication, parse

# The files that say where samples are; readers use the first one only if there is no second one.
OFFSETS = (SUFFIX_LEGACY_INDEX, SUFFIX_OFFSETS)

READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}

# Old name, or None if the file is to be removed, and final name.
Step = tuple[Path | None, Path]


def publication_of(path: Path, suffixes: tuple[str, ...], data: bool) -> Publication:
    """The publication of a dataset as its journal records it.

    Parameters:
        path: the data file.
        suffixes: of the index files to rename.
        data: whether the data file is renamed, too.
    """
    return Publication(suffixes, data, data and real_path(path).exists(), _name_in_journal(path))


def steps(path: Path, publication: Publication) -> list[Step]:
    """The order in which files are renamed, so that no reader finds data with the offsets of another dataset.

    A reader needs data and offsets. Old offsets are removed first and new ones are renamed last, so there is no dataset
    in between; a dataset under a new name appears with its data file, after all other files. No file of an old dataset
    remains beside new data.
    """
    draft = hidden_path(path, ".draft")
    data: list[Step] = [(draft_path(path), real_path(path))] if publication.data else []
    renamed = [suffix for suffix in publication.suffixes if suffix not in OFFSETS]
    last = [suffix for suffix in publication.suffixes if suffix in OFFSETS]
    removed = [suffix for suffix in SUFFIXES if publication.data and suffix not in publication.suffixes]
    removed += last if publication.replaces or not publication.data else []
    offsets: list[Step] = [(path_append(draft, suffix), path_append(path, suffix)) for suffix in last]
    return [
        *((None, path_append(path, suffix)) for suffix in sorted(removed, key=_removed_as)),
        *((path_append(draft, suffix), path_append(path, suffix)) for suffix in renamed),
        *([*data, *offsets] if publication.replaces else [*offsets, *data]),
    ]


def _removed_as(suffix: str) -> int:
    """The legacy index is used if there are no offsets, so it goes first; then the offsets, then all others."""
    return OFFSETS.index(suffix) if suffix in OFFSETS else len(OFFSETS)


def rename_files(path: Path, publication: Publication) -> None:
    """Rename all files, except those that have their final names already.

    Raises:
        OSError: a file cannot be renamed; or one of them is a link or the like, and none is renamed.
    """
    todo = steps(path, publication)
    done = {final for draft, final in todo if draft is not None and not _is_draft(draft)}
    for draft, final in todo:
        if final in done:
            continue
        if draft is None:
            final.unlink(missing_ok=True)
        else:
            draft.replace(final)
    for folder in {final.parent for _, final in todo}:
        sync(folder)


def model_of(path: Path, suffix: str = "") -> os.stat_result | None:
    """The status of the file whose access rights a new file of a dataset gets; None if there is no such file.

    That is the file that is replaced, or else the data file, or else its draft.

    Parameters:
        path: of the dataset.
        suffix: of an index file; empty for the data file.
    """
    own = [path_append(path, suffix)] if suffix else []
    return status_of(*own, real_path(path), draft_path(path))


def finish(path: Path, journal: Journal) -> bool:
    """Rename the remaining files of a complete dataset whose writer died while it renamed them.

    Parameters:
        path: of the dataset.
        journal: its journal.

    Returns:
        Whether there was such a dataset.

    Raises:
        UnfinishedDatasetError: it was written under another name, or its files cannot be renamed.
    """
    publication = journal.read().publication
    if publication is None:
        return False
    if publication.name != _name_in_journal(path):
        where = real_path(path).parent / publication.name
        raise UnfinishedDatasetError(
            f"{path}: its writer died while it renamed the files, and wrote the dataset as {where}. "
            f"Run `ddfast recover {where}` to finish it"
        )
    try:
        rename_files(path, publication)
    except OSError as error:
        raise _unfinished(path, error) from error
    journal.add("named")
    return True


def open_journal(path: Path) -> Journal:
    """Lock a dataset for writing, and finish the renames of an earlier writer.

    Parameters:
        path: of the dataset.

    Raises:
        DatasetBusyError: another writer is writing the dataset.
        UnfinishedDatasetError: as `finish`.
    """
    model = model_of(path)
    private = 0o666 if model is None else model.st_mode & 0o666 | stat.S_IRUSR | stat.S_IWUSR
    journal = Journal(journal_path(path), mode=private)
    try:
        finish(path, journal)
    except BaseException:
        journal.close()
        raise
    return journal


def finish_for_reader(path: Path) -> bool:
    """The same as `finish`, for a reader that has found no dataset.

    Returns:
        Whether the reader should try again.

    Raises:
        UnfinishedDatasetError: there are files to rename, and this process may not do that.
    """
    name = journal_path(path)
    try:
        journal = Journal(name, create=False)
    except (FileNotFoundError, DatasetBusyError):
        return False
    except OSError as error:
        if error.errno not in READ_ONLY:
            return False
        if _may_be_complete(name):
            raise _unfinished(path, error) from error
        return False
    try:
        finished = finish(path, journal)
        if finished and not draft_path(path).exists():
            journal.remove()
        return finished
    finally:
        journal.close()


def hint_of_draft(path: Path) -> str:
    """The hint in the error of a reader that has found a draft but no dataset; empty if there is no draft."""
    if status_of(draft_path(path)) is None:
        return ""
    return (
        "A writer has started it: wait until it is finished. If the writer was stopped, "
        f"`ddfast recover {path}` makes a dataset of the samples written so far"
    )


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_draft(path: Path) -> bool:
    """Whether a file that is to be renamed exists.

    Raises:
        OSError: it is a link or the like, which a writer does not make.
    """
    if status_of(path) is not None:
        return True
    if os.path.lexists(path):
        raise not_regular(path)
    return False


def _name_in_journal(path: Path) -> str:
    """The name of a dataset relative to the folder of its data file, as text that UTF-8 can hold."""
    name = os.path.relpath(path, real_path(path).parent)
    return os.fsencode(name).decode(errors="backslashreplace")


def _may_be_complete(journal: Path) -> bool:
    """Whether a journal that cannot be locked records a complete dataset."""
    try:
        with open_regular(journal) as file:
            return parse(file.readall()).publication is not None
    except OSError:
        return False


def _unfinished(path: Path, error: OSError) -> UnfinishedDatasetError:
    return UnfinishedDatasetError(
        f"{path}: its writer died while it renamed the files, and they cannot be renamed now: {error.strerror}. "
        f"Run `ddfast recover {path}` as a user who may write there"
    )
