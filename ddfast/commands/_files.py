"""What commands share about the files they are given."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ddfast.errors import DatasetNotFoundError, IndexFileError
from ddfast.storage import expand, is_url
from ddfast.storage.urls import shown
from ddfast.tools import ProgressPrinter, load_md5file, make_printer, path_append, query_user

SUFFIX_MD5 = ".md5"
REMAKE = "Remove it, and `ddfast index` makes it again."
SUFFIXES = (".offsets", ".keys", ".key_hashes", ".filter", ".index", ".xxh3")


def datasets(names: Iterable[str]) -> list[Path]:
    """The data files that names and glob patterns stand for, in order; each once.

    Raises:
        DatasetNotFoundError: there is none for one of them.
        IsADirectoryError: a name is that of a folder.
        ValueError: a name is that of an index file.
    """
    found: dict[Path, None] = {}
    for name in names:
        found.update(dict.fromkeys(_expand(name)))
    return list(found)


def sources(names: Iterable[str], storage_options: Mapping[str, Any]) -> list[Path | str]:
    """As `datasets`, where names may be URLs, which stay text.

    Raises:
        StorageError: a store did not give the list that a pattern asks for.
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
        raise IsADirectoryError(f"{name} is a folder. Name the files in it, such as '{path / '*.msgpack'}'")
    if path.suffix in (*SUFFIXES, SUFFIX_MD5) and path.with_suffix("").exists():
        raise ValueError(f"{name} belongs to the index. Name the data file, {path.with_suffix('')}")
    if path.exists():
        return [path]
    paths = sorted(Path(text) for text in glob.glob(name, recursive=True))  # noqa: PTH207  # takes any path
    paths = [path for path in paths if path.is_file() and path.suffix not in (*SUFFIXES, SUFFIX_MD5)]
    if not paths:
        raise DatasetNotFoundError(f"{name} not found")
    return paths


def index_files(path: Path) -> list[Path]:
    """The index files that lie beside a data file."""
    return [file for suffix in SUFFIXES if (file := path_append(path, suffix)).exists()]


def listed_digests(path: Path) -> dict[str, str] | None:
    """The digests by file name in the MD5 file beside a data file; None where there is no such file.

    Raises:
        IndexFileError: it has other lines.
    """
    md5 = path_append(path, SUFFIX_MD5)
    try:
        return load_md5file(md5)
    except FileNotFoundError:
        return None
    except ValueError:
        raise IndexFileError(f"{md5} is damaged: its lines are not all 'digest  name'. {REMAKE}") from None


def confirm_overwrite(question: str) -> None:
    """Ask whether to overwrite something.

    Raises:
        FileExistsError: no, or nobody is there to answer.
        KeyboardInterrupt: the user wants to stop.
    """
    try:
        answer = query_user(question)
    except EOFError:
        print()
        raise FileExistsError(f"{question} Nobody can answer: give -y to say yes") from None
    if answer == "no":
        raise FileExistsError("nothing was changed")
    if answer == "abort":
        raise KeyboardInterrupt


def byte_bar(desc: str, total: int) -> ProgressPrinter:
    """A progress bar over bytes; nothing where stderr is no terminal."""
    return make_printer(desc=desc, total=total, unit="B", unit_scale=True, leave=False, disable=None)
