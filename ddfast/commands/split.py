"""Split a dataset into several smaller ones.

For example, two split positions A and B result in three output files:

    [.....file1.....|A|.....file2.....|B|.....file3.....]

File 1 contains the samples 0 to A-1, file 2 the samples A to B-1, and file 3 the samples from B to the end.
Each file appears when it is complete.

Example:
  ddfast split train.msgpack 45000 -o train-45k.msgpack validation-5k.msgpack
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from ddfast.commands import _run
from ddfast.commands._move import (
    StrPath,
    add_no_confirm,
    batch_size,
    copy,
    keeping_what_exists,
    open_reader,
    open_writer,
    refuse_same,
    stretch,
)
from ddfast.commands._places import Options, add_storage_arguments, is_remote, local_path, storage_options
from ddfast.errors import UnsupportedIOError
from ddfast.storage.urls import HTTP, file_name, scheme_of, shown


def split_dataset(
    infile: StrPath,
    outfiles: Sequence[StrPath],
    splits: Sequence[int],
    overwrite: bool = False,
    storage_options: Options = None,
) -> None:
    """Split a dataset.

    Parameters:
        infile: the dataset; a path or a URL.
        outfiles: data files of the parts. The user is asked about each existing file; parts whose file is kept
            are not written.
        splits: index of the first sample of every part except the first, in ascending order.
        overwrite: replace existing files without asking.
        storage_options: options for URLs, see `ddfast.storage.open_storage`.

    Raises:
        ValueError: the splits are not ascending or are outside of the dataset, or their number is not one less than
            that of outfiles.
    """
    refuse_same([infile], outfiles)
    with open_reader(infile, storage_options) as reader:
        n = len(reader)
        check_splits(splits, len(outfiles), n)
        size = batch_size([infile], n, storage_options)
        for outfile, (start, stop) in zip(outfiles, pairwise([0, *splits, n]), strict=True):
            with (
                keeping_what_exists(),
                open_writer(outfile, stop - start, overwrite, storage_options) as writer,
            ):
                copy(stretch(reader, start, stop, size), writer)


def check_splits(splits: Sequence[int], files: int, n: int) -> None:
    """Raise ValueError unless a dataset of `n` samples can be split at these positions into `files` parts."""
    if list(splits) != sorted(splits):
        raise ValueError(f"split positions must be in ascending order, but are {' '.join(map(str, splits))}")
    for split in splits:
        if not 0 < split < n:
            raise ValueError(
                f"split position {split} is outside of the dataset, which has {n:,} samples: "
                f"use positions from 1 to {n - 1}"
            )
    if files != len(splits) + 1:
        raise ValueError(
            f"{len(splits)} split positions result in {len(splits) + 1} parts, but {files} outputs are given"
        )


def outfiles_of(infile: StrPath, parts: int) -> list[Path] | list[str]:
    """Default names of the parts: ``train-0.msgpack``, ``train-1.msgpack``, ..., in the folder of the dataset.

    Raises:
        UnsupportedIOError: the folder cannot be written, because it is on a web server or in an archive.
    """
    if is_remote(infile):
        return _urls_of(os.fspath(infile), parts)
    path = local_path(infile)
    return [path.with_name(f"{path.stem}-{i}{path.suffix}") for i in range(parts)]


def _urls_of(url: str, parts: int) -> list[str]:
    if "::" in url or scheme_of(url) in HTTP:
        raise UnsupportedIOError(
            f"{shown(url)} is in a place that cannot be written. Name the datasets to write with -o"
        )
    name = PurePosixPath(file_name(url))
    folder = url[: -len(name.name)]
    return [f"{folder}{name.stem}-{i}{name.suffix}" for i in range(parts)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("infile", help="dataset to split")
    parser.add_argument("split", type=int, nargs="+", help="index of the first sample of the next part")
    parser.add_argument(
        "-o",
        "--outfiles",
        metavar="PATH",
        nargs="+",
        help="datasets to write (default: infile-0, infile-1, ...)",
    )
    add_no_confirm(parser)
    add_storage_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Split a dataset. Returns the exit code."""
    outfiles = args.outfiles or outfiles_of(args.infile, len(args.split) + 1)
    split_dataset(args.infile, outfiles, args.split, args.no_confirm, storage_options(args))
    return 0


def entry() -> None:
    """The console script ``ddfast-split``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-split"))


if __name__ == "__main__":
    entry()
