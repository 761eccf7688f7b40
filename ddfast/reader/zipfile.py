"""The reader of files in a ZIP archive."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol
from zipfile import ZipInfo

from ddfast.loading.on_error import OnError, SamplePlace
from ddfast.reader.archive import Archive
from ddfast.reader.directory import Path, Source, as_patterns, collect, selection, yield_file
from ddfast.reader.file_patterns import LABEL, is_file, matcher
from ddfast.reader.list import Labels, ListReader, Sample, noop


class HasMembers(Protocol):
    """What lists its members as `zipfile.ZipFile` does."""

    def infolist(self) -> list[ZipInfo]:
        """All members."""


def glob_pattern(infos: Iterable[ZipInfo], pattern: str) -> Iterator[Source]:
    """Files among the members of an archive whose names match a pattern, in the order of the archive's list.

    Parameters:
        infos: members.
        pattern: an fnmatch pattern, whose wildcards match slashes too. The first component that is ``{LABEL}``
            matches as ``*`` does and tells which component of the name is the label.

    Returns:
        Tuples of key, name, label (None without ``{LABEL}``) and an empty list. Keys are names from the label on.
    """
    parts = pattern.split("/")
    at = parts.index(LABEL) if LABEL in parts else None
    if at is not None:
        parts[at] = "*"
    match = matcher("/".join(parts))
    for info in infos:
        name = info.filename
        if info.is_dir() or not match(name):
            continue
        if at is None:
            yield name, name, None, []
        else:
            below = name.split("/")[at:]
            yield "/".join(below), name, below[0], []


def yield_zipfile(zipfile_: HasMembers, patterns: Sequence[Path], separator: str) -> Iterator[Source]:
    """What each pattern stands for, one after the other: the lines of a list of files, or the members that match."""
    return chain.from_iterable(_sources(zipfile_, as_patterns(patterns), separator))


def _sources(archive: HasMembers, patterns: Sequence[str], separator: str) -> list[Iterator[Source]]:
    infos = archive.infolist()
    return [
        yield_file(pattern, "", separator) if is_file(pattern) else glob_pattern(infos, pattern)
        for pattern in patterns
    ]


class ZipFileReader(ListReader):
    """Reads files in a ZIP archive: each is a sample, with its content as ``"data"``.

    Patterns are those of `DirectoryReader`, but that their wildcards match slashes and hidden files too, and that the
    files come in the order of the archive. The archive is opened again in a forked or spawned process, and after it was
    closed; threads may share a reader. Every file is checked against its CRC-32.

    Parameters:
        path: the archive.
        patterns: one pattern or several: fnmatch patterns, or paths of lists of files, which are files on disk.
        labels, numeric_labels, initfun, convertfun, include, exclude, separator, on_error: as those of
            `DirectoryReader`.

    Raises:
        DatasetNotFoundError: there is no such archive.
        CorruptArchiveError: it is no ZIP archive, or its list of members is damaged.
        DuplicateKeyError, MissingLabelError, TextFileError: as `DirectoryReader`.

    Attributes:
        bytes_read: size of all files loaded so far, unpacked.
    """

    def __init__(
        self,
        path: Path,
        patterns: Path | Sequence[Path] = "{LABEL}/**",
        labels: Labels | None = None,
        numeric_labels: bool = True,
        initfun: Callable[[Sample], Any] = noop,
        convertfun: Callable[[Sample], Any] = noop,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        separator: str = "\t",
        *,
        on_error: OnError = "raise",
    ) -> None:
        self._archive = Archive(os.fspath(path))
        patterns = as_patterns(patterns)
        samples = collect(patterns, _sources(self._archive, patterns, separator), selection(include, exclude))
        super().__init__(samples, labels, numeric_labels, initfun, convertfun, on_error=on_error)
        self.bytes_read = 0

    def _place(self, index: int) -> SamplePlace:
        return self._archive.path, self.find_key(index)

    def __copy__(self) -> ZipFileReader:
        reader = super().__copy__()
        reader._archive = copy.copy(self._archive)  # to be closed by itself
        return reader

    def close(self) -> None:
        self._archive.close()

    def _convert(self, sample: Sample) -> None:
        sample["data"] = data = self._archive.read(sample["path"])
        self.bytes_read += len(data)
        super()._convert(sample)
