"""What a writer leaves that died, or was stopped by a full disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np

from ddfast._native.xxh3 import checksums
from ddfast.format.files import SUFFIX_OFFSETS, path_append
from ddfast.format.journal import Story, draft_path, journal_path, neighbour, parse
from ddfast.format.scan import find_samples
from ddfast.writer.book import Piece
from ddfast.writer.draft import Draft

STRETCH_BYTES = 4 << 20
STRETCH_SAMPLES = 1 << 14


@dataclass(frozen=True, slots=True)
class Leftover:
    """The files of a writer that has not come to its end.

    Parameters:
        path: of the dataset that was to be.
        is_complete: whether all files are complete, and only lack their names.
        draft: its data file so far.
        size: bytes of that.
        announced: samples of which the journal knows; the last of them may not have reached the draft.
        announced_size: bytes of those.
    """

    path: Path
    is_complete: bool
    draft: Path
    size: int
    announced: int
    announced_size: int

    def pieces(self) -> Iterator[Piece]:
        """All whole samples of the draft, in order.

        Raises:
            OSError: it cannot be read.
        """
        return whole_samples(self.draft, _read_journal(self.path))


def find_leftover(path: str | os.PathLike[str]) -> Leftover | None:
    """What a writer has left of a dataset, or is writing now; None where there is nothing.

    Parameters:
        path: the data file that was to be.
    """
    path = Path(path)
    draft = draft_path(path)
    story = _read_journal(path)
    if not draft.exists() and story.complete is None:
        return None
    size = draft.stat().st_size if draft.exists() else 0
    return Leftover(path, story.complete is not None, draft, size, len(story.keys), sum(story.sizes))


def finish_leftover(path: str | os.PathLike[str]) -> bool:
    """Give the files of a complete dataset their names, where its writer died before they had them all.

    Returns:
        Whether there was something to do.

    Raises:
        DatasetBusyError: the writer is alive.
        UnfinishedDatasetError: the files cannot be renamed.
    """
    path = Path(path)
    if not journal_path(path).exists():
        return False
    found = find_leftover(path)
    draft = Draft(path)  # which does it
    draft.leave()
    return found is not None and found.is_complete


def discard_leftover(path: str | os.PathLike[str]) -> bool:
    """Remove what a writer has left of a dataset; a dataset that exists under the name stays as it is.

    Returns:
        Whether there was something to remove.

    Raises:
        DatasetBusyError: the writer is alive.
    """
    path = Path(path)
    found = [journal_path(path), draft_path(path), path_append(neighbour(path, ".draft"), SUFFIX_OFFSETS)]
    if not any(file.exists() for file in found):
        return False
    Draft(path).remove()
    return True


def whole_samples(draft: Path, story: Story) -> Iterator[Piece]:
    """The samples that are whole in a draft, up to the first that is not.

    Those that the journal knows are held against its checksums. Where it is damaged or missing, what follows is
    found by scanning, as far as samples hold keys that are new.
    """
    sizes = np.array(story.sizes, np.uint64)
    ends = np.cumsum(sizes, dtype=np.uint64)
    sums = np.array(story.sums, np.uint64)
    first, done = 0, 0
    with draft.open("rb", 0) as file:
        while first < len(sizes):
            stop = int(np.searchsorted(ends, done + STRETCH_BYTES, "right"))
            stop = min(max(stop, first + 1), first + STRETCH_SAMPLES)
            data = _read(file, min(int(ends[stop - 1]), draft.stat().st_size) - done)
            stop = first + int(np.searchsorted(ends[first:stop], done + len(data), "right"))
            found = checksums(data, sizes[first:stop])
            wrong = np.flatnonzero(found != sums[first:stop])
            good = first + int(wrong[0]) if len(wrong) else stop
            size = int(ends[good - 1]) - done if good > first else 0
            if size:
                yield Piece(story.keys[first:good], sizes[first:good], [data[:size]])
            if len(wrong) or good == first or size < len(data):
                return
            first, done = good, done + size
        if draft.stat().st_size > done:
            yield from _scan(draft, done, set(story.keys))


def _scan(draft: Path, start: int, seen: set[str]) -> Iterator[Piece]:
    """Samples behind those of which the journal knows."""
    for run in find_samples(draft, start=start):
        keys: list[str] = []
        for key in run.keys:
            if key is None or key in seen:
                break
            seen.add(key)
            keys.append(key)
        if keys and run.data is not None:
            sizes = np.diff(run.offsets[: len(keys) + 1])
            yield Piece(keys, sizes, [bytes(run.data[: int(sizes.sum())])])
        if len(keys) < len(run) or run.damage is not None:
            return


def _read(file: FileIO, size: int) -> bytes:
    pieces = []
    while size > 0:
        piece = file.read(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _read_journal(path: Path) -> Story:
    try:
        return parse(journal_path(path).read_bytes())
    except FileNotFoundError:
        return Story(damaged=True)
