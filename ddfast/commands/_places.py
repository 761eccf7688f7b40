"""Where a dataset is: files here, or objects under a URL, whose index files are copied here to be looked at."""

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
from ddfast.storage import SequentialReader as Front
from ddfast.storage import is_url
from ddfast.storage.urls import lengthened, shown, split_url

COPIED = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A dataset.

    Parameters:
        source: the data file as readers take it: a path or a URL.
        base: what its index files are named after here; the data file itself, if it is a file.
        size: bytes of the data file.
        options: for the storage of a URL.
    """

    source: Path | str
    base: Path
    size: int
    options: Mapping[str, Any]

    @property
    def name(self) -> Path | str:
        """What messages call it."""
        return shown(self.source) if isinstance(self.source, str) else self.source

    def called(self, file: Path) -> Path | str:
        """What messages call a file beside it."""
        if isinstance(self.source, Path):
            return file
        return f"{str(self.name).partition('?')[0].rpartition('/')[0]}/{file.name}"

    def front(self) -> Path | Front:
        """The data file, to be read from front to back."""
        if isinstance(self.source, Path):
            return self.source
        return Front(self.source, **self.options)


@contextmanager
def placed(source: str | os.PathLike[str], options: Mapping[str, Any] | None = None) -> Iterator[Place]:
    """A dataset, for as long as it is looked at.

    Raises:
        FileNotFoundError: there is no data file.
        StorageError: what is under a URL cannot be had.
    """
    if not (isinstance(source, str) and is_url(source)):
        path = Path(source)
        yield Place(path, path, path.stat().st_size, {})
        return
    options = options or {}
    name = split_url(source).key.rpartition("/")[2]
    with tempfile.TemporaryDirectory(prefix="ddfast-") as folder:
        base = Path(folder) / name
        try:
            with Front(source, **options) as front:
                size = front.size
        except StorageNotFoundError as error:
            raise DatasetNotFoundError(str(error)) from error
        for suffix in (*SUFFIXES, SUFFIX_MD5):
            _copy(lengthened(source, suffix), base.with_name(name + suffix), options)
        yield Place(source, base, size, options)


def _copy(url: str, to: Path, options: Mapping[str, Any]) -> None:
    """Copy an object, unless there is none."""
    try:
        with Front(url, **options) as front, to.open("wb") as file:
            while data := front.read(COPIED):
                file.write(data)
    except StorageNotFoundError:
        return


def add_storage_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options for URLs."""
    parser.add_argument(
        "--storage-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for URLs, such as endpoint=http://localhost:9000 or skip_signature=true; may be repeated",
    )


def storage_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options for URLs that were given.

    Raises:
        ValueError: one has no value.
    """
    found: dict[str, Any] = {}
    for text in args.storage_option:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--storage-option {text} has no value: write NAME=VALUE")
        found[name] = {"true": True, "false": False}.get(value, value)
    return found
