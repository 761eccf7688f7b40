"""The index of a dataset in the making: temporary neighbours that take the final names when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from simplebloom import BloomFilter  # type: ignore[import-untyped]

from ddfast.files import SUFFIX_FILTER, SUFFIX_KEY_HASHES, SUFFIX_KEYS, SUFFIX_OFFSETS, path_append
from ddfast.index import write_filter, write_key_hashes, write_keys, write_offsets
from ddfast.tools import hash_md5hex

SUFFIX_MD5 = ".md5"
INDEX_SUFFIXES = (SUFFIX_OFFSETS, SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER)

Offsets = Sequence[int] | NDArray[np.uint64]


class IndexDraft:
    """The files beside a data file, under temporary names.

    Parameters:
        path: the data file.
        name: temporary name, to which suffixes are appended.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._draft = path.with_name(name)

    @property
    def files(self) -> list[Path]:
        """All temporary files."""
        return [path_append(self._draft, suffix) for suffix in (*INDEX_SUFFIXES, SUFFIX_MD5)]

    def write(
        self,
        keys: Sequence[str],
        offsets: Offsets,
        digests: Iterable[tuple[str, str]],
        order: Sequence[str] = INDEX_SUFFIXES,
        bloom: BloomFilter | None = None,
    ) -> None:
        """Write all files.

        Parameters:
            keys: of all samples.
            offsets: of all samples, and the size of the data file.
            digests: name and MD5 of files beside the index, for the first lines of the MD5 file.
            order: suffixes in the order of the lines that follow.
            bloom: the filter of the keys, where it was made meanwhile.
        """
        write_offsets(offsets, self._draft)  # type: ignore[arg-type]
        write_keys(keys, self._draft)
        write_key_hashes(keys, self._draft)
        write_filter(keys, self._draft, bloom)
        lines = [f"{digest}  {name}\n" for name, digest in digests]
        for suffix in order:
            lines.append(f"{hash_md5hex(path_append(self._draft, suffix))}  {self.path.name}{suffix}\n")
        path_append(self._draft, SUFFIX_MD5).write_text("".join(lines), encoding="utf-8")

    def rename(self, suffix: str) -> None:
        """Give a file its final name."""
        path_append(self._draft, suffix).replace(path_append(self.path, suffix))

    def publish(self) -> None:
        """Give all files their final names, and see them safe on the disk."""
        for path in self.files:
            sync(path)
        # A reader needs the offsets: the new ones come last, so that nobody sees them beside old keys.
        path_append(self.path, SUFFIX_OFFSETS).unlink(missing_ok=True)
        for suffix in (SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_MD5, SUFFIX_OFFSETS):
            self.rename(suffix)
        sync(self.path.parent)


def write_index(
    path: Path,
    keys: Sequence[str],
    offsets: Offsets,
    digests: Iterable[tuple[str, str]],
    order: Sequence[str] = INDEX_SUFFIXES,
) -> list[Path]:
    """Write index and MD5 files beside a data file; those that exist are replaced once the new ones are complete.

    Parameters:
        path: the data file; it is not looked at.
        keys, offsets, digests, order: as those of `IndexDraft.write`.

    Returns:
        The files written.
    """
    draft = IndexDraft(path, temporary_name(path))
    try:
        draft.write(keys, offsets, digests, order)
        uninterrupted(draft.publish)
    finally:
        discard(draft.files)
    return [path_append(path, suffix) for suffix in (*INDEX_SUFFIXES, SUFFIX_MD5)]


def temporary_name(path: Path) -> str:
    """A hidden name that nobody else has, for a neighbour of a file."""
    return f".{path.name[:64]}.{secrets.token_hex(6)}.tmp"


def uninterrupted(work: Callable[[], None]) -> None:
    """Do something that Ctrl-C cannot stop half-way; KeyboardInterrupt comes when it is done."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def discard(files: Iterable[Path], owner: int | None = None) -> None:
    """Remove files that may be there; but not in a child of the process that owns them."""
    if owner is not None and os.getpid() != owner:
        return
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink()


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
