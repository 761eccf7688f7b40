"""Convert the legacy index of a dataset to index files of today.

Datasets of old have one index file, train.msgpack.index. This writes train.msgpack.offsets, .keys,
.key_hashes and .filter beside it from what it says, and their digests into train.msgpack.md5. The
data file is only read where no MD5 file lists it, and the legacy file is left alone. `ddfast index`
makes an index from the data file instead.

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

# The order in which datadings lists the files.
ORDER = (SUFFIX_KEYS, SUFFIX_KEY_HASHES, SUFFIX_FILTER, SUFFIX_OFFSETS)


def convert_index(path: str | os.PathLike[str], outdir: str | os.PathLike[str] | None = None) -> list[Path]:
    """Write today's index files from a legacy one.

    Parameters:
        path: the data file or its legacy index file.
        outdir: folder to write into; the dataset's own if left out.

    Returns:
        The files written, all at once when they are complete.

    Raises:
        DatasetNotFoundError: there is no data file, or no legacy index file.
        IndexFileError: the legacy index file is damaged.
    """
    path = Path(path)
    if path.suffix == SUFFIX_LEGACY_INDEX:
        path = path.with_suffix("")
    legacy = path_append(path, SUFFIX_LEGACY_INDEX)
    for file in (path, legacy):
        if not file.exists():
            raise DatasetNotFoundError(f"{file} not found: a legacy index and its data file are needed")
    out = path if outdir is None else Path(outdir) / path.name
    if not out.parent.is_dir():
        raise NotADirectoryError(f"{out.parent} is no folder. Make it first")
    keys, offsets = legacy_load_index(path)
    return write_index(out, keys, offsets, _kept_digests(path, out), ORDER)


def _kept_digests(path: Path, out: Path) -> list[tuple[str, str]]:
    """Name and MD5 of the files that are not written: from the MD5 file that there is, or made."""
    for dataset in (out, path):
        if (digests := listed_digests(dataset)) is not None:
            return [(name, digest) for name, digest in digests.items() if Path(name).suffix not in ORDER]
    return [(file.name, _md5(file)) for file in (path, path_append(path, SUFFIX_LEGACY_INDEX))]


def _md5(path: Path) -> str:
    return hash_md5hex(path, progress=sys.stderr.isatty())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("infile", metavar="FILE", help="dataset, a .msgpack file, or its .index file")
    parser.add_argument("-o", "--outdir", metavar="PATH", help="folder for the files (default: FILE's own)")


def main(args: argparse.Namespace) -> int:
    """Convert; returns the exit code."""
    convert_index(args.infile, args.outdir)
    return 0


def entry() -> None:
    """The console script ``ddfast-convert-index``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-convert-index"))


if __name__ == "__main__":
    entry()
