"""Convert the legacy index of a dataset to the current index files.

Older datasets have a single index file, train.msgpack.index. This command converts it to
train.msgpack.offsets, .keys, .key_hashes and .filter, and writes their digests to
train.msgpack.md5. It reads the data file only if no MD5 file lists its digest, and does not change
the legacy file. To make an index from the data file instead, use `ddfast index`.

Example:
  ddfast convert-index train.msgpack
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ddfast.commands import _run
from ddfast.commands._files import listed_digests
from ddfast.errors import DatasetNotFoundError
from ddfast.index import (
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    legacy_load_index,
)
from ddfast.tools import hash_md5hex, path_append
from ddfast.writer import write_index

# The order of the files in the MD5 file of datadings.
ORDER = (SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_OFFSETS)


def convert_index(path: str | os.PathLike[str], outdir: str | os.PathLike[str] | None = None) -> list[Path]:
    """Convert a legacy index file to the current index files.

    Parameters:
        path: the data file or its legacy index file.
        outdir: folder to write to; None for the folder of the dataset.

    Returns:
        The written files, which appear together when all are complete.

    Raises:
        DatasetNotFoundError: the data file or the legacy index file is missing.
        IndexFileError: the legacy index file is damaged.
    """
    path = Path(path)
    if path.suffix == SUFFIX_LEGACY_INDEX:
        path = path.with_suffix("")
    legacy = path_append(path, SUFFIX_LEGACY_INDEX)
    for file in (path, legacy):
        if not file.exists():
            raise DatasetNotFoundError(
                f"{file} not found. The command needs a legacy index and its data file"
            )
    out = path if outdir is None else Path(outdir) / path.name
    if not out.parent.is_dir():
        raise NotADirectoryError(f"{out.parent} is not a folder. Create it first")
    keys, offsets = legacy_load_index(path)
    return write_index(out, keys, offsets, _kept_digests(path, out), ORDER)


def _kept_digests(path: Path, out: Path) -> list[tuple[str, str]]:
    """Name and MD5 of the files that are not written, from the existing MD5 file or computed."""
    for dataset in (out, path):
        if (digests := listed_digests(dataset)) is not None:
            return [(f"{out.name}{suffix}", each) for suffix, each in digests.items() if suffix not in ORDER]
    return [(file.name, _md5(file)) for file in (path, path_append(path, SUFFIX_LEGACY_INDEX))]


def _md5(path: Path) -> str:
    return hash_md5hex(path, progress=sys.stderr.isatty())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("infile", metavar="FILE", help="dataset: a .msgpack file or its .index file")
    parser.add_argument(
        "-o", "--outdir", metavar="PATH", help="folder to write to (default: the folder of FILE)"
    )


def main(args: argparse.Namespace) -> int:
    """Convert the index. Returns the exit code."""
    convert_index(args.infile, args.outdir)
    return 0


def entry() -> None:
    """The console script ``ddfast-convert-index``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-convert-index"))


if __name__ == "__main__":
    entry()
