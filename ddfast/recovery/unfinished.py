"""Datasets whose writer died, or was stopped by a full disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ddfast._util.moved import warn_renamed
from ddfast._util.paths import absolute
from ddfast.format.files import SUFFIX_OFFSETS, draft_path, journal_path
from ddfast.format.publication import open_journal
from ddfast.writer.index_files import IndexFiles, release, remove_files
from ddfast.writer.restore import intact_samples, read_journal
from ddfast.writer.samples import PackedSamples


@dataclass(frozen=True, slots=True)
class UnfinishedDataset:
    """The files of a writer that has not finished.

    Parameters:
        path: of the dataset.
        is_complete: whether all files are complete, and only have to be renamed.
        draft: the data file so far.
        size: bytes of the draft.
        announced: number of samples in the journal; the last of them may be missing in the draft.
        announced_size: bytes of these samples.
    """

    path: Path
    is_complete: bool
    draft: Path
    size: int
    announced: int
    announced_size: int

    def chunks(self) -> Iterator[PackedSamples]:
        """All intact samples of the draft, in order.

        Raises:
            OSError: the draft cannot be read.
        """
        return intact_samples(self.draft, read_journal(self.path))

    def pieces(self) -> Iterator[PackedSamples]:
        """Deprecated name of `chunks`."""
        warn_renamed("UnfinishedDataset.pieces", "chunks")
        return self.chunks()


def find_unfinished(path: str | os.PathLike[str]) -> UnfinishedDataset | None:
    """What the writer of a dataset has written so far, dead or alive; None if there is nothing.

    Parameters:
        path: the data file of the dataset.
    """
    path = Path(absolute(path))
    draft = draft_path(path)
    journal = read_journal(path)
    if not draft.exists() and journal.publication is None:
        return None
    size = draft.stat().st_size if draft.exists() else 0
    is_complete = journal.publication is not None
    return UnfinishedDataset(path, is_complete, draft, size, len(journal.keys), sum(journal.sizes))


def finish_unfinished(path: str | os.PathLike[str]) -> bool:
    """Rename the files of a complete dataset whose writer died before it had renamed all of them.

    Returns:
        Whether there was such a dataset.

    Raises:
        DatasetBusyError: the writer is alive.
        UnfinishedDatasetError: the files cannot be renamed.
    """
    path = Path(absolute(path))
    if not journal_path(path).exists():
        return False
    found = find_unfinished(path)
    release(path, open_journal(path))  # open_journal renames them
    return found is not None and found.is_complete


def discard_unfinished(path: str | os.PathLike[str]) -> bool:
    """Remove the files of an unfinished dataset. A finished dataset of the same name is not changed.

    Returns:
        Whether there was anything to remove.

    Raises:
        DatasetBusyError: the writer is alive.
    """
    path = Path(absolute(path))
    draft, index = draft_path(path), IndexFiles(path, checksums=True)
    if not any(file.exists() for file in (journal_path(path), draft, index.path(SUFFIX_OFFSETS))):
        return False
    journal = open_journal(path)
    remove_files([draft])
    index.remove()
    journal.remove()
    return True
