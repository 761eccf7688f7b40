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

from ddfast.commands._files import SUFFIX_MD5, SUFFIXES
from ddfast.errors import DatasetNotFoundError, StorageNotFoundError
from ddfast.storage import SequentialReader, is_url
from ddfast.storage.urls import file_name, lengthened, shown
from ddfast.tools import path_append

COPIED = 1 << 20


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


@contextmanager
def placed(source: str | os.PathLike[str], options: Mapping[str, Any] | None = None) -> Iterator[Place]:
    """The location of a dataset. Leaving the context removes temporary files.

    Raises:
        FileNotFoundError: the data file does not exist, or the URL has no file name.
        StorageError: an object under a URL cannot be read.
    """
    if not (isinstance(source, str) and is_url(source)):
        path = Path(source)
        yield Place(path, path, path.stat().st_size, {})
        return
    options = options or {}
    name = file_name(source)
    with tempfile.TemporaryDirectory(prefix="ddfast-") as folder:
        base = Path(folder) / name
        try:
            with SequentialReader(source, **options) as front:
                size = front.size
        except StorageNotFoundError as error:
            raise DatasetNotFoundError(str(error)) from error
        for suffix in (*SUFFIXES, SUFFIX_MD5):
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
    """The options for URLs.

    Raises:
        ValueError: an option has no value.
    """
    found: dict[str, Any] = {}
    for text in args.storage_option:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError("--storage-option without a value. Use NAME=VALUE")  # the text may be a secret
        found[name] = {"true": True, "false": False}.get(value, value)
    return found
