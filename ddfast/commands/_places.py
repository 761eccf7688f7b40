"""Location of a dataset: local files, or objects under a URL, whose index files are copied to a temporary folder."""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddfast.commands._files import INDEX_SUFFIXES, SUFFIX_MD5
from ddfast.errors import DatasetNotFoundError, StorageNotFoundError
from ddfast.storage import LocalStorage, SequentialReader, is_url
from ddfast.storage.urls import file_name, lengthened, refuse_mangled, scheme_of, shown, split_url
from ddfast.tools import path_append

COPIED = 1 << 20

StrPath = str | os.PathLike[str]
Options = Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A dataset.

    Parameters:
        source: the data file as readers accept it: a path or a URL.
        base: the path whose name, with a suffix, is the path of an index file; the data file itself, if it is a file.
        size: size of the data file in bytes.
        options: storage options for a URL.
    """

    source: Path | str
    base: Path
    size: int
    options: Mapping[str, Any]

    @property
    def name(self) -> Path | str:
        """Its name in messages."""
        return shown(self.source) if isinstance(self.source, str) else self.source

    def called(self, file: Path) -> Path | str:
        """The name of one of its index files in messages."""
        if isinstance(self.source, Path):
            return file
        return f"{str(self.name).partition('?')[0].rpartition('/')[0]}/{file.name}"

    def front(self) -> Path | SequentialReader:
        """The data file, to be read from start to end."""
        if isinstance(self.source, Path):
            return self.source
        return SequentialReader(self.source, **self.options)

    def copy_data(self) -> None:
        """Copy the data file of a URL to `base`; errors as those of `placed`."""
        if isinstance(self.source, str):
            _copy(self.source, self.base, self.options)


def is_remote(name: StrPath) -> bool:
    """Whether a name is a URL, except for a ``file:`` URL."""
    return is_url(name) and scheme_of(name) != "file"


def local_path(name: StrPath) -> Path:
    """The path of a file, which may be given as a ``file:`` URL.

    Raises:
        StorageNotFoundError: it is the path that `pathlib` makes from a URL.
    """
    if is_url(name):
        return LocalStorage(os.fspath(name)).path
    refuse_mangled(name)
    return Path(name)


def shown_name(name: StrPath) -> str:
    """A path, or a URL without secrets."""
    return shown(os.fspath(name))


def without_query(url: StrPath) -> str:
    """The URL of an object without what does not identify it: user, password and query."""
    location = split_url(os.fspath(url))
    return str(location._replace(root=location.root.rpartition("@")[2], query=""))


def data_size(source: StrPath, options: Options = None) -> int:
    """Size of a data file in bytes; errors as those of `placed`."""
    if not is_remote(source):
        return local_path(source).stat().st_size
    try:
        with SequentialReader(source, **(options or {})) as front:
            return front.size
    except StorageNotFoundError as error:
        raise DatasetNotFoundError(str(error)) from error


@contextmanager
def placed(source: StrPath, options: Options = None, folder: Path | None = None) -> Iterator[Place]:
    """The location of a dataset. Leaving the context removes temporary files.

    Parameters:
        source: path or URL of the data file.
        options: storage options for a URL.
        folder: where the temporary folder for the index files of a URL is made; None for that of the system.

    Raises:
        FileNotFoundError: the data file does not exist, or the URL has no file name.
        StorageError: an object under a URL cannot be read.
    """
    if not (isinstance(source, str) and is_remote(source)):
        path = local_path(source)
        yield Place(path, path, path.stat().st_size, {})
        return
    options = options or {}
    name = file_name(source)
    with tempfile.TemporaryDirectory(prefix=".ddfast-", dir=folder) as private:
        base = Path(private) / name
        size = data_size(source, options)
        for suffix in (*INDEX_SUFFIXES, SUFFIX_MD5):
            _copy(lengthened(source, suffix), path_append(base, suffix), options)
        yield Place(source, base, size, options)


def _copy(url: str, to: Path, options: Mapping[str, Any]) -> None:
    """Copy an object, if it exists."""
    try:
        with SequentialReader(url, **options) as front, to.open("xb") as file:
            while data := front.read(COPIED):
                file.write(data)
    except StorageNotFoundError:
        return


def add_storage_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for URLs."""
    parser.add_argument(
        "--storage-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option for URLs, such as endpoint=http://localhost:9000 or skip_signature=true; may be repeated",
    )


def storage_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options for URLs; none if the arguments have no such option.

    Raises:
        ValueError: an option has no value.
    """
    found: dict[str, Any] = {}
    for text in getattr(args, "storage_option", []):
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError("--storage-option without a value. Use NAME=VALUE")  # the text may be a secret
        found[name] = {"true": True, "false": False}.get(value, value)
    return found
