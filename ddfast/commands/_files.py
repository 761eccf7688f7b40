"""Files that commands are given as arguments."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ddfast.errors import DatasetNotFoundError
from ddfast.index import load_digests
from ddfast.recovery import find_unfinished
from ddfast.storage import expand, is_url
from ddfast.storage.urls import expand_ranges, has_range, shown
from ddfast.tools import ProgressPrinter, make_printer, path_append, query_user

SUFFIX_MD5 = ".md5"
INDEX_SUFFIXES = (".offsets", ".keys", ".key_hashes", ".filter", ".index", ".xxh3")
SUFFIXES = (*INDEX_SUFFIXES, ".meta", ".table")

# Files that the MD5 file does not list.
UNLISTED = (".xxh3", ".meta", ".table", ".md5")


def datasets(names: Iterable[str]) -> list[Path]:
    """The data files that match names and glob patterns, in order and without duplicates.

    Raises:
        DatasetNotFoundError: no file matches a name or pattern.
        IsADirectoryError: a name is the name of a folder.
        ValueError: a name is the name of an index file.
    """
    found: dict[Path, None] = {}
    for name in names:
        found.update(dict.fromkeys(_expand(name)))
    return list(found)


def without_index_files(names: Iterable[str]) -> list[str]:
    """Names without those of index files whose data file is one of the names, as a shell expands ``train*``."""
    names = list(names)
    given = set(names)
    return [
        name
        for name in names
        if not any(
            name.removesuffix(suffix) in given for suffix in (*SUFFIXES, SUFFIX_MD5) if name.endswith(suffix)
        )
    ]


def sources(names: Iterable[str], storage_options: Mapping[str, Any]) -> list[Path | str]:
    """The same as `datasets`, but names may also be URLs, which are returned as text.

    Raises:
        StorageError: a store could not list the objects that match a pattern.
    """
    found: dict[Path | str, None] = {}
    for name in names:
        urls = _expand_url(name, storage_options) if is_url(name) else datasets([name])
        found.update(dict.fromkeys(urls))
    return list(found)


def _expand_url(url: str, options: Mapping[str, Any]) -> list[str]:
    urls = [each for each in expand(url, **options) if not each.endswith((*SUFFIXES, SUFFIX_MD5))]
    if not urls:
        raise DatasetNotFoundError(f"{shown(url)} not found")
    return urls


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        raise IsADirectoryError(f"{name} is a folder. Name its files, for example '{path / '*.msgpack'}'")
    if path.suffix in (*SUFFIXES, SUFFIX_MD5) and path.with_suffix("").exists():
        raise ValueError(f"{name} is an index file. Name the data file, {path.with_suffix('')}")
    if path.exists():
        return [path]
    if has_range(name):
        return [path for each in expand_ranges(name) for path in _expand(each)]
    paths = sorted(Path(text) for text in glob.glob(name, recursive=True))  # noqa: PTH207  # takes any path
    paths = [path for path in paths if path.is_file() and path.suffix not in (*SUFFIXES, SUFFIX_MD5)]
    if not paths:
        raise DatasetNotFoundError(f"{name} not found{_hint_of_draft(path)}")
    return paths


def _hint_of_draft(path: Path) -> str:
    """What to do if a writer has started the dataset and not finished it; empty if none has."""
    try:
        left = find_unfinished(path)
    except OSError:
        return ""
    if left is None:
        return ""
    return (
        ". A writer has started it: wait until it is finished. If the writer was stopped, "
        f"`ddfast recover {path}` makes a dataset of the samples written so far"
    )


def index_files(path: Path) -> list[Path]:
    """The existing index files of a data file."""
    return [file for suffix in INDEX_SUFFIXES if (file := path_append(path, suffix)).exists()]


def listed_digests(path: Path) -> dict[str, str] | None:
    """The digests in the MD5 file of a data file by suffix, as `load_digests`; None if it has no MD5 file.

    Raises:
        IndexFileError: the MD5 file is damaged.
    """
    try:
        return load_digests(path)
    except FileNotFoundError:
        return None


def confirm_overwrite(question: str) -> None:
    """Ask whether to overwrite something.

    Raises:
        FileExistsError: the user answers no, or there is no terminal.
        KeyboardInterrupt: the user aborts.
    """
    try:
        answer = query_user(question)
    except EOFError:
        print()
        raise FileExistsError(f"{question} There is no terminal to ask: use -y to overwrite") from None
    if answer == "no":
        raise FileExistsError("nothing was changed")
    if answer == "abort":
        raise KeyboardInterrupt


def byte_bar(desc: str, total: int) -> ProgressPrinter:
    """A progress bar over bytes; hidden if stderr is not a terminal."""
    return make_printer(desc=desc, total=total, unit="B", unit_scale=True, leave=False, disable=None)
