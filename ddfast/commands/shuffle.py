"""Shuffle a dataset.

By default, the command reads chunks of neighbouring samples in random order and mixes them in a buffer.
This reads large pieces of the dataset, but samples stay closer to their neighbours than with
--true-shuffle.

Example:
  ddfast shuffle train.msgpack shuffled.msgpack --buf-size 0.05 --seed 7
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from typing import TypeVar

from ddfast import MsgpackReader
from ddfast.commands import _run
from ddfast.commands._move import (
    StrPath,
    add_no_confirm,
    add_seed,
    batch_size,
    copy,
    keeping_what_exists,
    open_reader,
    open_writer,
    refuse_same,
)
from ddfast.commands._places import add_storage_arguments, storage_options
from ddfast.reader import QuasiShuffler, Shuffler

Number = TypeVar("Number", int, float)

BUF_SIZE = 0.01
CHUNK_SIZE = 16


def shuffle(infile: StrPath, outfile: StrPath, args: argparse.Namespace) -> None:
    """Shuffle a dataset.

    Parameters:
        infile: the dataset; a path or a URL.
        outfile: data file of the result; the user is asked if it exists.
        args: ``true_shuffle``, ``buf_size``, ``chunk_size`` and ``no_confirm`` as in `add_arguments`, and
            optionally ``seed`` and ``storage_option``.

    Raises:
        ValueError: both files are the same.
        FileExistsError: the user wants to keep the existing file.
    """
    refuse_same([infile], [outfile])
    options = storage_options(args)
    with open_reader(infile, options) as reader:
        shuffler = shuffled(reader, args)
        with open_writer(outfile, len(reader), args.no_confirm, options) as writer:
            copy(shuffler.batches(batch_size([infile], len(reader), options), raw=True), writer)


def shuffled(reader: MsgpackReader, args: argparse.Namespace) -> Shuffler | QuasiShuffler:
    """The reader in the order that the options select."""
    seed = getattr(args, "seed", None)
    if args.true_shuffle:
        return Shuffler(reader, seed=seed)
    draw = random if seed is None else random.Random(seed)
    return QuasiShuffler(
        reader,
        buf_size=BUF_SIZE if args.buf_size is None else args.buf_size,
        chunk_size=CHUNK_SIZE if args.chunk_size is None else args.chunk_size,
        seed=draw.randrange(2**32),
    )


def above_zero(kind: type[Number]) -> Callable[[str], Number]:
    """The type of an option: a positive number of this kind."""

    def parse(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError:
            value = kind(0)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
        return value

    return parse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("infile", help="dataset to shuffle")
    parser.add_argument("outfile", help="dataset to write")
    add_no_confirm(parser)
    parser.add_argument(
        "--true-shuffle", action="store_true", help="make all orders equally likely, which is slower"
    )
    parser.add_argument(
        "--buf-size",
        type=above_zero(float),
        default=BUF_SIZE,
        metavar="N",
        help="size of the buffer in samples, or, if below 1, as a fraction of the dataset; larger buffers mix better "
        f"and take more memory (default: {BUF_SIZE})",
    )
    parser.add_argument(
        "--chunk-size",
        type=above_zero(int),
        default=CHUNK_SIZE,
        metavar="N",
        help=f"samples per chunk; larger chunks are faster and mix worse (default: {CHUNK_SIZE})",
    )
    add_seed(parser)
    add_storage_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Shuffle a dataset. Returns the exit code."""
    with keeping_what_exists():
        shuffle(args.infile, args.outfile, args)
    return 0


def entry() -> None:
    """The console script ``ddfast-shuffle``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-shuffle"))


if __name__ == "__main__":
    entry()
