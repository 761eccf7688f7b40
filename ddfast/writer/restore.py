"""The intact samples in the draft of a writer that died or was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np

from ddfast._native.xxh3 import checksums
from ddfast.format.drafts import open_regular
from ddfast.format.files import journal_path
from ddfast.format.journal import JournalState, parse
from ddfast.format.scan import find_samples
from ddfast.writer.samples import PackedSamples

# Read and checked at a time.
CHUNK_BYTES = 4 << 20
CHUNK_SAMPLES = 1 << 14


def intact_samples(draft: Path, journal: JournalState) -> Iterator[PackedSamples]:
    """The samples of a draft, up to the first that is incomplete or damaged.

    Samples in the journal are checked against its checksums. Samples after them, if the journal is damaged or missing,
    are found by scanning, as long as they have new keys.

    Raises:
        OSError: the draft cannot be read.
    """
    sizes = np.array(journal.sizes, np.uint64)
    ends = np.cumsum(sizes, dtype=np.uint64)
    sums = np.array(journal.sums, np.uint64)
    first, done = 0, 0
    with open_regular(draft) as file:
        while first < len(sizes):
            stop = int(np.searchsorted(ends, done + CHUNK_BYTES, "right"))
            stop = min(max(stop, first + 1), first + CHUNK_SAMPLES)
            data = _read(file, min(int(ends[stop - 1]), draft.stat().st_size) - done)
            stop = first + int(np.searchsorted(ends[first:stop], done + len(data), "right"))
            wrong = np.flatnonzero(checksums(data, sizes[first:stop]) != sums[first:stop])
            good = first + int(wrong[0]) if len(wrong) else stop
            size = int(ends[good - 1]) - done if good > first else 0
            if size:
                yield PackedSamples(journal.keys[first:good], sizes[first:good], [data[:size]])
            if len(wrong) or good == first or size < len(data):
                return
            first, done = good, done + size
        if draft.stat().st_size > done:
            yield from _scan(draft, done, set(journal.keys))


def read_journal(path: Path) -> JournalState:
    """The journal of a dataset, which may be locked by its writer; without samples if it does not exist.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    try:
        with open_regular(journal_path(path)) as file:
            return parse(file.readall())
    except FileNotFoundError:
        return JournalState(damaged=True)


def _scan(draft: Path, start: int, seen: set[str]) -> Iterator[PackedSamples]:
    """The samples after those in the journal."""
    for run in find_samples(draft, start=start):
        keys: list[str] = []
        for key in run.keys:
            if key is None or key in seen:
                break
            seen.add(key)
            keys.append(key)
        if keys and run.data is not None:
            sizes = np.diff(run.offsets[: len(keys) + 1])
            yield PackedSamples(keys, sizes, [bytes(run.data[: int(sizes.sum())])])
        if len(keys) < len(run) or run.damage is not None:
            return


def _read(file: FileIO, size: int) -> bytes:
    parts = []
    while size > 0:
        part = file.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
