"""The reader of files in a ZIP archive."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol
from zipfile import ZipInfo

from ddfast._util.paths import absolute
from ddfast.loading.on_error import OnError, SamplePlace
from ddfast.reader.archive import Archive
from ddfast.reader.directory import FileEntry, StrPath, as_patterns, collect, selection, yield_file
from ddfast.reader.file_patterns import LABEL, is_file, matcher
from ddfast.reader.list import Labels, ListReader, Sample, noop


class HasMembers(Protocol):
    """An archive that lists its members like `zipfile.ZipFile`."""

    def infolist(self) -> list[ZipInfo]:
        """All members."""


def glob_pattern(infos: Iterable[ZipInfo], pattern: str) -> Iterator[FileEntry]:
    """Files of an archive whose names match a pattern, in the order of the archive.

    Parameters:
        infos: members.
        pattern: an fnmatch pattern, whose wildcards also match slashes. The first component that is ``{LABEL}`` matches
            like ``*``, and the corresponding component of the name is the label.

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


def yield_zipfile(zipfile_: HasMembers, patterns: Sequence[StrPath], separator: str) -> Iterator[FileEntry]:
    """The files of each pattern, one pattern after the other: the lines of a list of files, or matching members."""
    return chain.from_iterable(_sources(zipfile_, as_patterns(patterns), separator))


def _sources(archive: HasMembers, patterns: Sequence[str], separator: str) -> list[Iterator[FileEntry]]:
    infos = archive.infolist()
    return [
        yield_file(pattern, "", separator) if is_file(pattern) else glob_pattern(infos, pattern)
        for pattern in patterns
    ]


class ZipFileReader(ListReader):
    """Reads files in a ZIP archive: each is a sample, with its content as ``"data"``.

    Patterns are those of `DirectoryReader`, except that their wildcards also match slashes and hidden files, and that
    files are in the order of the archive. The archive is opened again in a forked or spawned process, and after it was
    closed; threads can share a reader. Every file is checked against its CRC-32.

    Parameters:
        path: the archive.
        patterns: one pattern or several: fnmatch patterns, or paths of lists of files on disk.
        labels, numeric_labels, initfun, convertfun, include, exclude, separator, on_error: as those of
            `DirectoryReader`.

    Raises:
        DatasetNotFoundError: the archive does not exist.
        CorruptArchiveError: the file is not a ZIP archive, or its list of members is damaged.
        DuplicateKeyError, MissingLabelError, TextFileError: see `DirectoryReader`.

    Attributes:
        bytes_read: uncompressed size of all files loaded so far.
    """

    def __init__(
        self,
        path: StrPath,
        patterns: StrPath | Sequence[StrPath] = "{LABEL}/**",
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
        self._archive = Archive(absolute(path))
        patterns = as_patterns(patterns)
        samples = collect(patterns, _sources(self._archive, patterns, separator), selection(include, exclude))
        super().__init__(samples, labels, numeric_labels, initfun, convertfun, on_error=on_error)
        self.bytes_read = 0

    def _place(self, index: int) -> SamplePlace:
        return self._archive.path, self.find_key(index)

    def __copy__(self) -> ZipFileReader:
        reader = super().__copy__()
        reader._archive = copy.copy(self._archive)  # which can be closed separately
        return reader

    def close(self) -> None:
        self._archive.close()

    def _convert(self, sample: Sample) -> None:
        sample["data"] = data = self._archive.read(sample["path"])
        self.bytes_read += len(data)
        super()._convert(sample)
