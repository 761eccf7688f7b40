"""The reader of files in folders."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import PurePath
from typing import Any

from ddfast._util.paths import working_folder
from ddfast.errors import EscapingPathError
from ddfast.loading.on_error import OnError, SamplePlace
from ddfast.reader.file_patterns import LABEL, files, is_file, matcher
from ddfast.reader.list import Labels, ListReader, Sample, noop, text_lines
from ddfast.reader.sample_file import load_file

StrPath = str | os.PathLike[str]
# (key, path, label, further columns)
FileEntry = tuple[str, str, str | None, list[str]]


def check_included(filename: str, include: str | Iterable[str], exclude: str | Iterable[str]) -> bool:
    """Whether a file name matches one of the patterns in `include`, if there are any, and none of `exclude`."""
    return selection(include, exclude)(filename)


def selection(include: str | Iterable[str], exclude: str | Iterable[str]) -> Callable[[str], bool]:
    """`check_included` as a function of the file name, for many file names."""
    wanted = [matcher(pattern) for pattern in as_patterns(include)]
    unwanted = [matcher(pattern) for pattern in as_patterns(exclude)]
    if not wanted and not unwanted:
        return lambda _: True

    def is_included(filename: str) -> bool:
        return (not wanted or any(match(filename) for match in wanted)) and not any(
            match(filename) for match in unwanted
        )

    return is_included


def as_patterns(patterns: StrPath | Iterable[StrPath]) -> list[str]:
    """Patterns as a list of strings; accepts a single pattern."""
    if isinstance(patterns, str | os.PathLike):
        patterns = [patterns]
    return [os.fspath(pattern) for pattern in patterns]


def yield_file(infile: StrPath, prefix: str, separator: str) -> Iterator[FileEntry]:
    """The entries of a list of files: path, label and further columns per line.

    Parameters:
        infile: the list, a text file in UTF-8. Empty lines are skipped.
        prefix: removed from the beginning of paths to make keys.
        separator: separates columns.

    Returns:
        Tuples of key, path, label (None without a second column) and further columns.

    Raises:
        TextFileError: the list is not UTF-8.
    """
    for line in text_lines(infile):
        path, *columns = line.strip("\n").split(separator)
        if path or columns:
            yield path.removeprefix(prefix), path, columns[0] if columns else None, columns[1:]


def glob_pattern(pattern: str, prefix: str) -> Iterator[FileEntry]:
    """Files that match a pattern, those of `glob.iglob(pattern, recursive=True)`, in natural order folder by folder.

    Parameters:
        pattern: a glob pattern, in which a component ``{LABEL}`` stands for the label.
        prefix: removed from the beginning of paths to make keys; if empty, the part before ``{LABEL}`` is removed.

    Returns:
        Tuples of key, path, label (None without ``{LABEL}``) and an empty list.
    """
    if not prefix and LABEL in pattern.split("/"):
        prefix = pattern[: pattern.index(LABEL)]
    skip = len(prefix)
    for path, label in files(pattern):
        yield path[skip:] if path.startswith(prefix) else path, path, label, []


def yield_directory(patterns: Sequence[StrPath], separator: str) -> Iterator[FileEntry]:
    """The files of each pattern, one pattern after the other: the lines of a list of files, or the files that match.

    With several patterns, the common prefix of all patterns is removed from keys.
    """
    return chain.from_iterable(_sources(as_patterns(patterns), separator))


def _sources(patterns: Sequence[str], separator: str) -> list[Iterator[FileEntry]]:
    prefix = ""
    if len(patterns) > 1:  # by character, as datadings does, even if that cuts a name
        prefix = os.path.commonprefix(patterns).partition(LABEL)[0]  # noqa: RUF071
    return [
        yield_file(pattern, prefix, separator) if is_file(pattern) else glob_pattern(pattern, prefix)
        for pattern in patterns
    ]


def collect(
    patterns: Sequence[str],
    sources: Sequence[Iterator[FileEntry]],
    is_included: Callable[[str], bool],
    root_dir: StrPath = "",
) -> list[Sample]:
    """The samples of all sources, one source per pattern. Warns of patterns without samples."""
    samples: list[Sample] = []
    for pattern, source in zip(patterns, sources, strict=True):
        before = len(samples)
        place = partial(_listed, pattern) if is_file(pattern) else os.path.join
        samples.extend(
            {
                "key": key,
                "label": label,
                "path": place(root_dir, path) if root_dir else path,
                "_additional_info": more,
            }
            for key, path, label, more in source
            if is_included(path)
        )
        if len(samples) == before:
            is_folder = os.path.isdir(pattern)  # noqa: PTH112  # as cheap as it gets
            hint = f"; it is a folder, use {f'{pattern}/**'!r} for its files" if is_folder else ""
            warnings.warn(f"no file matches {pattern!r}, or all are excluded{hint}", stacklevel=3)
    return samples


def _listed(name: str, root_dir: StrPath, path: str) -> str:
    """The path of a listed file. Lists can come from untrusted sources, so they must not leave the given folder."""
    if path.startswith(os.sep) or PurePath(os.path.normpath(path)).parts[0] == os.pardir:
        raise EscapingPathError(
            f"{name} lists {path!r}, which is not in {os.fspath(root_dir)!r}. Remove the line, or omit root_dir to "
            "allow any file"
        )
    return os.path.join(root_dir, path)  # noqa: PTH118  # not normalised


class DirectoryReader(ListReader):
    """Reads files in folders: each file is a sample, with its content as ``"data"``.

    A pattern is either a glob pattern such as ``photos/{LABEL}/**``, in which ``**`` matches any number of folders and
    the component ``{LABEL}`` matches the folder that names the label; or the path of a list of files: text in UTF-8
    with one path per line, optionally followed by the label and further columns, separated by `separator`. Columns
    after the label become ``"_additional_info"``.

    Keys are paths from ``{LABEL}`` on; without it, or for listed files, whole paths. With several patterns, their
    common prefix is removed. Files that match a pattern are in natural order, folder by folder, on every file
    system: equal folders give equal samples. Listed files are in the order of the list.

    Parameters:
        patterns: one pattern or several.
        labels, numeric_labels, initfun: as those of `ListReader`. The label of files without a label is None, so that
            `labels` such as ``[None]`` must be given.
        convertfun: changes a sample in place after its file was loaded.
        include: fnmatch patterns; a path must match one of them, if there are any.
        exclude: fnmatch patterns; a path must match none of them.
        separator: separates the columns of a list of files.
        root_dir: the folder of relative paths; it is not part of keys and of paths that `include` matches. Files
            must be in it, also if their names are symbolic links; without it, a list or a link can name any file.
        on_error: as that of `ListReader`; missing files can be left out too.

    Raises:
        DuplicateKeyError, MissingLabelError: see `ListReader`.
        TextFileError: a list of files is not UTF-8.
        EscapingPathError: a list of files names a file outside of `root_dir`; when a sample is loaded: a symbolic link
            leads out of it.
        ReadError: a folder cannot be listed.

    Attributes:
        bytes_read: size of all files loaded so far.
    """

    def __init__(
        self,
        patterns: StrPath | Sequence[StrPath],
        labels: Labels | None = None,
        numeric_labels: bool = True,
        initfun: Callable[[Sample], Any] = noop,
        convertfun: Callable[[Sample], Any] = noop,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        separator: str = "\t",
        root_dir: StrPath = "",
        *,
        on_error: OnError = "raise",
    ) -> None:
        self._folder = working_folder()  # of relative paths, also after `os.chdir`
        patterns = as_patterns(patterns)
        samples = collect(patterns, _sources(patterns, separator), selection(include, exclude), root_dir)
        super().__init__(samples, labels, numeric_labels, initfun, convertfun, on_error=on_error)
        self._root = os.fspath(root_dir)
        self.bytes_read = 0

    def _place(self, index: int) -> SamplePlace:
        sample = self._samples[index]
        return self._path_of(sample), sample["key"]

    def _path_of(self, sample: Sample) -> str:
        return os.path.join(self._folder, sample["path"])  # noqa: PTH118  # a Path costs more

    def _convert(self, sample: Sample) -> None:
        sample["data"] = data = load_file(sample["path"], sample["key"], self._folder, self._root)
        self.bytes_read += len(data)
        super()._convert(sample)
