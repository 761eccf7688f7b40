"""Convert the legacy index of a dataset to the current index files.

Older datasets have a single index file, train.msgpack.index. This command converts it to
train.msgpack.offsets, .keys, .key_hashes and .filter, and writes their digests to
train.msgpack.md5. It reads the data file only if no MD5 file lists its digest, and does not change
the legacy file. For URLs that cannot be written, use -o. To make an index from the data file instead,
use `ddfast index`.

Example:
  ddfast convert-index train.msgpack
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

from ddfast.commands import _run
from ddfast.commands._files import listed_digests
from ddfast.commands._places import (
    COPIED,
    Options,
    Place,
    StrPath,
    add_storage_arguments,
    is_remote,
    local_path,
    placed,
    storage_options,
)
from ddfast.commands._uploads import objects_of, upload
from ddfast.errors import DatasetNotFoundError
from ddfast.index import (
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    legacy_load_index,
)
from ddfast.storage import SequentialReader
from ddfast.storage.urls import lengthened, split_url
from ddfast.tools import hash_md5hex, path_append
from ddfast.writer import write_index

# The order of the files in the MD5 file of datadings.
ORDER = (SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_OFFSETS)


def convert_index(
    path: StrPath, outdir: str | os.PathLike[str] | None = None, storage_options: Options = None
) -> list[Path] | list[str]:
    """Convert a legacy index file to the current index files.

    Parameters:
        path: the data file or its legacy index file; a path or a URL.
        outdir: folder to write to; None for the folder of the dataset.
        storage_options: options for a URL, see `ddfast.storage.open_upload`.

    Returns:
        The written files, which appear together when all are complete; or URLs of the written objects.

    Raises:
        DatasetNotFoundError: the data file or the legacy index file is missing.
        IndexFileError: the legacy index file is damaged.
        UnsupportedIOError: without `outdir`, the URL is of a web server, or of a chain of file systems.
    """
    path = _data_file_of(path)
    objects = objects_of(path, storage_options) if outdir is None else None
    with placed(path, storage_options) as place:
        legacy = path_append(place.base, SUFFIX_LEGACY_INDEX)
        if not legacy.exists():
            raise _not_found(place.called(legacy))
        out = place.base if outdir is None else Path(outdir) / place.base.name
        if not out.parent.is_dir():
            raise NotADirectoryError(f"{out.parent} is not a folder. Create it first")
        keys, offsets = legacy_load_index(place.base, place.size)
        files = write_index(out, keys, offsets, _kept_digests(place, out), ORDER)
        if objects is None:
            return files
        upload(objects, place.base, files)
        return [lengthened(os.fspath(path), file.name.removeprefix(place.base.name)) for file in files]


def _data_file_of(path: StrPath) -> StrPath:
    """The data file, for which its legacy index file may be given."""
    if is_remote(path):
        url = os.fspath(path)
        location = split_url(url)
        is_index = "::" not in url and location.key.endswith(SUFFIX_LEGACY_INDEX)
        return str(location._replace(key=location.key.removesuffix(SUFFIX_LEGACY_INDEX))) if is_index else url
    file = local_path(path)
    file = file.with_suffix("") if file.suffix == SUFFIX_LEGACY_INDEX else file
    if not file.exists():
        raise _not_found(file)
    return file


def _not_found(file: Path | str) -> DatasetNotFoundError:
    return DatasetNotFoundError(f"{file} not found. The command needs a legacy index and its data file")


def _kept_digests(place: Place, out: Path) -> list[tuple[str, str]]:
    """Name and MD5 of the files that are not written, from the existing MD5 file or computed."""
    for dataset in (out, place.base):
        if (digests := listed_digests(dataset)) is not None:
            return [(f"{out.name}{suffix}", each) for suffix, each in digests.items() if suffix not in ORDER]
    legacy = path_append(place.base, SUFFIX_LEGACY_INDEX)
    return [(place.base.name, _md5(place.front())), (legacy.name, _md5(legacy))]


def _md5(file: Path | SequentialReader) -> str:
    if isinstance(file, Path):
        return hash_md5hex(file, progress=sys.stderr.isatty())
    digest = hashlib.md5(usedforsecurity=False)
    with file:
        while data := file.read(COPIED):
            digest.update(data)
    return digest.hexdigest()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "infile", metavar="FILE", help="dataset: a .msgpack file or its .index file, or a URL"
    )
    parser.add_argument(
        "-o", "--outdir", metavar="PATH", help="folder to write to (default: the folder of FILE)"
    )
    add_storage_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Convert the index. Returns the exit code."""
    convert_index(args.infile, args.outdir, storage_options(args))
    return 0


def entry() -> None:
    """The console script ``ddfast-convert-index``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-convert-index"))


if __name__ == "__main__":
    entry()
