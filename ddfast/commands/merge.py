"""Merge two or more datasets.

Strategies:

- concat: the datasets one after the other, in the order in which they are given.
- random: choose at random which dataset the next sample comes from; larger ones are chosen more often.

Samples of one dataset stay in their order, unless --shuffle is given. No key may be in two datasets.

Example:
  ddfast merge cats.msgpack dogs.msgpack pets.msgpack --strategy random --seed 7
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate, chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast import Batch, MsgpackReader, RawWriter
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
    write,
)
from ddfast.errors import DuplicateKeyError
from ddfast.reader import Shuffler

Sample = tuple[str, Any]  # key and packed message


def merge_concat(
    infiles: Sequence[StrPath],
    outfile: StrPath,
    shuffle: bool = False,
    *,
    overwrite: bool = False,
    seed: int | None = None,
) -> None:
    """Write datasets one after the other.

    Parameters:
        infiles: the datasets.
        outfile: data file of the result; the user is asked if it exists.
        shuffle: shuffle each dataset.
        overwrite: replace what exists without asking.
        seed: of the shuffles; None for those that depend on the lengths of the datasets alone.

    Raises:
        DuplicateKeyError: two datasets have the same key.
        ValueError: a file is input and output.
        FileExistsError: the user wants to keep what exists.
    """
    refuse_same(infiles, [outfile])
    rand = None if seed is None else random.Random(seed)
    total = check_keys(infiles)
    with open_writer(outfile, total, overwrite) as writer:
        for infile in infiles:
            with open_reader(infile) as reader:
                copy(batches_of(reader, batch_size([infile], len(reader)), shuffle, rand), writer)


def merge_random(
    infiles: Sequence[StrPath],
    outfile: StrPath,
    shuffle: bool = False,
    *,
    overwrite: bool = False,
    seed: int | None = None,
) -> None:
    """Write datasets so that each next sample comes from one that is chosen at random.

    A dataset is chosen with a probability that is its share of the samples of all that are not used up.
    Parameters and errors are those of `merge_concat`; and ValueError if there is no sample at all. Without a
    seed, choices are those of the module `random`.
    """
    refuse_same(infiles, [outfile])
    rand = None if seed is None else random.Random(seed)
    if check_keys(infiles) == 0:
        raise ValueError("zero samples found: there is nothing to merge")
    with ExitStack() as stack:
        readers = [stack.enter_context(open_reader(infile, len(infiles))) for infile in infiles]
        lens = [len(reader) for reader in readers]
        size = batch_size(infiles, sum(lens))
        samples = [samples_of(batches_of(reader, size, shuffle, rand)) for reader in readers]
        writer = stack.enter_context(open_writer(outfile, sum(lens), overwrite))
        for choices in choose(lens, size, random.random if rand is None else rand.random):
            write_chosen(choices, readers, samples, writer)


def batches_of(
    reader: MsgpackReader, size: int, shuffle: bool, rand: random.Random | None
) -> Iterable[Batch]:
    """Raw batches of a whole dataset, shuffled by a seed from `rand`, or if that is None, the default one."""
    if not shuffle:
        return stretch(reader, 0, len(reader), size)
    return Shuffler(reader, seed=None if rand is None else rand.randrange(2**32)).batches(size, raw=True)


def check_keys(infiles: Sequence[StrPath]) -> int:
    """Number of samples in all datasets; looks at their keys before anything is written.

    Raises:
        DuplicateKeyError: a key is in two of them.
    """
    owners: dict[str, StrPath] = {}
    for infile in infiles:
        with open_reader(infile) as reader:
            keys = dict.fromkeys(reader.keys()[:], infile)
        if not owners.keys().isdisjoint(keys):
            key = next(key for key in keys if key in owners)
            raise DuplicateKeyError(
                f"{owners[key]} and {infile} both have a sample with the key {key!r}. Keys must be unique in "
                "the result: leave one of the datasets out, or write it again with other keys"
            )
        owners.update(keys)
    return len(owners)


def choose(lens: Sequence[int], size: int, draw: Callable[[], float]) -> Iterator[NDArray[np.int64]]:
    """Which dataset each next sample comes from, in blocks of up to `size`.

    One number is drawn for every sample, and one when a dataset turns out to be used up.

    Parameters:
        lens: samples of each dataset.
        size: of a block.
        draw: gives numbers from 0 up to, but without 1.
    """
    left = np.array(lens)
    live = np.arange(len(lens))
    draws = np.empty(0)
    while left.sum():
        if not len(draws):
            draws = np.array([draw() for _ in range(min(size, left.sum() + len(live)))])
        picks = pick(draws, [lens[i] for i in live.tolist()])
        stop, used_up = first_in_vain(picks, left[live])
        chosen = live[picks[:stop]]
        left -= np.bincount(chosen, minlength=len(lens))
        draws = draws[stop + 1 :]
        if used_up is not None:
            live = np.delete(live, used_up)
        if len(chosen):
            yield chosen
    for _ in range(len(live) - len(draws)):
        draw()  # finds out about those that are used up now; whoever draws next gets what he would have got


def pick(draws: NDArray[np.float64], lens: Sequence[int]) -> NDArray[np.int64]:
    """For each number from 0 to 1, the dataset in whose share of all samples it lies."""
    total = sum(lens)
    bounds = list(accumulate(n / total for n in lens))
    # Rounding may leave the last bound below 1.
    return np.minimum(np.searchsorted(bounds, draws, side="right"), len(lens) - 1)


def first_in_vain(picks: NDArray[np.int64], left: NDArray[np.int64]) -> tuple[int, int | None]:
    """Where a dataset is picked first that has no samples left, and which; the end and None if none is."""
    stop, used_up = len(picks), None
    for i, count in enumerate(left.tolist()):
        at = np.flatnonzero(picks[:stop] == i)
        if len(at) > count:
            stop, used_up = int(at[count]), i
    return stop, used_up


def write_chosen(
    choices: NDArray[np.int64],
    readers: Sequence[MsgpackReader],
    samples: Sequence[Iterator[Sample]],
    writer: RawWriter,
) -> None:
    """Write the next sample of each reader that is chosen."""
    # Each reader's samples are taken at one go, and then put in their places.
    counts = np.bincount(choices, minlength=len(samples)).tolist()
    taken = list(chain.from_iterable(map(islice, samples, counts)))
    places = np.empty_like(choices)
    places[np.argsort(choices, kind="stable")] = np.arange(len(choices))
    keys, packed = zip(*map(taken.__getitem__, places.tolist()), strict=True)

    def decode(item: int) -> None:
        reader = readers[choices[item]]
        reader.get(reader.find_index(keys[item]))

    write(writer, keys, packed, decode)


def samples_of(batches: Iterable[Batch]) -> Iterator[Sample]:
    """Key and packed message of each sample of raw batches."""
    return chain.from_iterable(zip(batch.keys, batch, strict=True) for batch in batches)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("infile", nargs="+", help="datasets to merge")
    parser.add_argument("outfile", help="where to write the result")
    parser.add_argument(
        "-s", "--strategy", default="random", choices=("concat", "random"), help="(default: random)"
    )
    parser.add_argument("--shuffle", action="store_true", help="shuffle each dataset first")
    add_no_confirm(parser)
    add_seed(parser)


def main(args: argparse.Namespace) -> int:
    """Merge; returns the exit code."""
    merge = merge_random if args.strategy == "random" else merge_concat
    with keeping_what_exists():
        merge(args.infile, args.outfile, args.shuffle, overwrite=args.no_confirm, seed=args.seed)
    return 0


def entry() -> None:
    """The console script ``ddfast-merge``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-merge"))


if __name__ == "__main__":
    entry()
