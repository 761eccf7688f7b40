"""Extract some samples of a dataset.

Strategies:

- random: randomly chosen samples, in random order.
- sequential: the first samples, in their order.

Example:
  ddfast sample train.msgpack small.msgpack 1000 --seed 7
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator

from ddfast import Batch
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
    stretch,
)
from ddfast.commands._places import Options, add_storage_arguments, shown_name, storage_options
from ddfast.reader import Shuffler


def sample(
    infile: StrPath,
    outfile: StrPath,
    number: int,
    strategy: str,
    *,
    overwrite: bool = False,
    seed: int | None = None,
    storage_options: Options = None,
) -> None:
    """Write some samples of a dataset to another.

    Parameters:
        infile: the dataset; a path or a URL.
        outfile: data file of the result; the user is asked if it exists.
        number: number of samples. If the dataset has fewer, all are written, with a warning.
        strategy: ``"random"`` or ``"sequential"``.
        overwrite: replace an existing file without asking.
        seed: seed of the random choice; None for a choice that depends only on the length of the dataset.
        storage_options: options for URLs, see `ddfast.storage.open_storage`.

    Raises:
        ValueError: the number is negative, or both files are the same.
        FileExistsError: the user wants to keep the existing file.
    """
    if number < 0:
        raise ValueError(f"the number of samples is {number}, but must not be negative")
    refuse_same([infile], [outfile])
    with open_reader(infile, storage_options) as reader:
        n = len(reader)
        if number > n:
            print(f"{shown_name(infile)} has only {n:,} samples, not {number:,}", file=sys.stderr)
            number = n
        size = batch_size([infile], n, storage_options)
        with open_writer(outfile, number, overwrite, storage_options) as writer:
            if strategy == "random":
                copy(first(number, Shuffler(reader, seed=seed).batches(size, raw=True)), writer)
            else:
                copy(stretch(reader, 0, number, size), writer)


def first(number: int, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches of the first `number` samples."""
    for batch in batches:
        if number <= len(batch):
            yield batch[:number]
            return
        yield batch
        number -= len(batch)


def natural(text: str) -> int:
    """A non-negative integer."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a non-negative integer")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("infile", help="dataset to take samples from")
    parser.add_argument("outfile", help="dataset to write")
    parser.add_argument("number", type=natural, help="number of samples to extract")
    parser.add_argument(
        "-s",
        "--strategy",
        default="random",
        choices=("sequential", "random"),
        help="how to choose samples (default: random)",
    )
    add_no_confirm(parser)
    add_seed(parser)
    add_storage_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Extract samples. Returns the exit code."""
    with keeping_what_exists():
        sample(
            args.infile,
            args.outfile,
            args.number,
            args.strategy,
            overwrite=args.no_confirm,
            seed=args.seed,
            storage_options=storage_options(args),
        )
    return 0


def entry() -> None:
    """The console script ``ddfast-sample``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-sample"))


if __name__ == "__main__":
    entry()
