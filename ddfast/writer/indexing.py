"""The index of a dataset in the making: temporary neighbours that take the final names when they are complete."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast.format.files import (
    SUFFIX_CHECKSUMS,
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_MD5,
    SUFFIX_OFFSETS,
    path_append,
)
from ddfast.format.index import write_checksums, write_filter, write_key_hashes, write_keys, write_offsets
from ddfast.format.journal import neighbour
from ddfast.tools import hash_md5hex

INDEX_SUFFIXES = (SUFFIX_OFFSETS, SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER)

Offsets = Sequence[int] | NDArray[np.uint64]


def index_suffixes(checksums: bool) -> tuple[str, ...]:
    """Suffixes of the files beside a data file, with or without the checksums file."""
    return (*INDEX_SUFFIXES, SUFFIX_MD5, *([SUFFIX_CHECKSUMS] if checksums else []))


class IndexDraft:
    """The files beside a data file, under temporary names.

    Parameters:
        path: the data file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._draft = neighbour(path, ".draft")

    @property
    def files(self) -> list[Path]:
        """All temporary files."""
        return [self.file(suffix) for suffix in index_suffixes(True)]

    def file(self, suffix: str) -> Path:
        """A file under its temporary name."""
        return path_append(self._draft, suffix)

    def write(
        self,
        keys: Sequence[str],
        offsets: Offsets,
        digests: Iterable[tuple[str, str]],
        order: Sequence[str] = INDEX_SUFFIXES,
    ) -> None:
        """Write all files.

        Parameters:
            keys: of all samples.
            offsets: of all samples, and the size of the data file.
            digests: name and MD5 of files beside the index, for the first lines of the MD5 file.
            order: suffixes in the order of the lines that follow.
        """
        write_offsets(offsets, self._draft)  # type: ignore[arg-type]
        write_keys(keys, self._draft)
        write_key_hashes(keys, self._draft)
        write_filter(keys, self._draft)
        lines = [f"{digest}  {name}\n" for name, digest in digests]
        for suffix in order:
            lines.append(f"{hash_md5hex(self.file(suffix))}  {self.path.name}{suffix}\n")
        self.file(SUFFIX_MD5).write_text("".join(lines), encoding="utf-8")

    def write_checksums(self, sums: ArrayLike) -> None:
        """Write the checksums file, which the MD5 file does not list.

        Parameters:
            sums: XXH3-64 of all samples.
        """
        write_checksums(sums, self._draft)


def uninterrupted(work: Callable[[], None]) -> None:
    """Do something that Ctrl-C cannot stop half-way; KeyboardInterrupt comes when it is done."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def discard(files: Iterable[Path]) -> None:
    """Remove files that may be there."""
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink()
