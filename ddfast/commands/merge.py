"""Merge two or more datasets.

Strategies:

- concat: write the datasets one after the other, in the given order.
- random: choose the dataset of each next sample at random; larger datasets are chosen more often.

The samples of each dataset keep their order, unless --shuffle is given. All keys must be different.

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
from ddfast.commands._places import Options, add_storage_arguments, shown_name, storage_options
from ddfast.errors import DuplicateKeyError
from ddfast.reader import Shuffler
from ddfast.tools.messages import brief

Sample = tuple[str, Any]  # key and packed message


def merge_concat(
    infiles: Sequence[StrPath],
    outfile: StrPath,
    shuffle: bool = False,
    *,
    overwrite: bool = False,
    seed: int | None = None,
    storage_options: Options = None,
) -> None:
    """Write datasets one after the other.

    Parameters:
        infiles: the datasets; paths or URLs.
        outfile: data file of the result; the user is asked if it exists.
        shuffle: shuffle each dataset.
        overwrite: replace an existing file without asking.
        seed: seed of the shuffles; None for orders that depend only on the lengths of the datasets.
        storage_options: options for URLs, see `ddfast.storage.open_storage`.

    Raises:
        DuplicateKeyError: two datasets have the same key.
        ValueError: an input is also the output.
        FileExistsError: the user wants to keep the existing file.
    """
    refuse_same(infiles, [outfile])
    rand = None if seed is None else random.Random(seed)
    total = check_keys(infiles, storage_options)
    with open_writer(outfile, total, overwrite, storage_options) as writer:
        for infile in infiles:
            with open_reader(infile, storage_options) as reader:
                size = batch_size([infile], len(reader), storage_options)
                copy(batches_of(reader, size, shuffle, rand), writer)


def merge_random(
    infiles: Sequence[StrPath],
    outfile: StrPath,
    shuffle: bool = False,
    *,
    overwrite: bool = False,
    seed: int | None = None,
    storage_options: Options = None,
) -> None:
    """Merge datasets by choosing the dataset of each next sample at random.

    The probability of a dataset is its share of the samples of all datasets that are not exhausted.
    Parameters and errors are those of `merge_concat`. Also raises ValueError if all datasets are empty. Without a
    seed, the choices are made by the module `random`.
    """
    refuse_same(infiles, [outfile])
    rand = None if seed is None else random.Random(seed)
    if check_keys(infiles, storage_options) == 0:
        raise ValueError("zero samples found in the datasets to merge")
    with ExitStack() as stack:
        readers = [
            stack.enter_context(open_reader(infile, storage_options, len(infiles))) for infile in infiles
        ]
        lens = [len(reader) for reader in readers]
        size = batch_size(infiles, sum(lens), storage_options)
        samples = [samples_of(batches_of(reader, size, shuffle, rand)) for reader in readers]
        writer = stack.enter_context(open_writer(outfile, sum(lens), overwrite, storage_options))
        for choices in choose(lens, size, random.random if rand is None else rand.random):
            write_chosen(choices, readers, samples, writer)


def batches_of(
    reader: MsgpackReader, size: int, shuffle: bool, rand: random.Random | None
) -> Iterable[Batch]:
    """Raw batches of a whole dataset, shuffled with a seed from `rand`, or with the default seed if it is None."""
    if not shuffle:
        return stretch(reader, 0, len(reader), size)
    return Shuffler(reader, seed=None if rand is None else rand.randrange(2**32)).batches(size, raw=True)


def check_keys(infiles: Sequence[StrPath], storage_options: Options = None) -> int:
    """Check that all keys are different. Returns the number of samples in all datasets.

    Raises:
        DuplicateKeyError: two datasets have the same key.
    """
    owners: dict[str, StrPath] = {}
    for infile in infiles:
        with open_reader(infile, storage_options) as reader:
            keys = dict.fromkeys(reader.keys()[:], infile)
        if not owners.keys().isdisjoint(keys):
            key = next(key for key in keys if key in owners)
            raise DuplicateKeyError(
                f"{shown_name(owners[key])} and {shown_name(infile)} both have a sample with the key {brief(key)}. "
                "Keys must be unique in the result. Leave one of the datasets out, or write it again with other keys"
            )
        owners.update(keys)
    return len(owners)


def choose(lens: Sequence[int], size: int, draw: Callable[[], float]) -> Iterator[NDArray[np.int64]]:
    """Choose the dataset of each next sample, in blocks of up to `size`.

    One number is drawn for every sample, and one when a dataset turns out to be exhausted.

    Parameters:
        lens: number of samples of each dataset.
        size: maximum size of a block.
        draw: returns random numbers in ``[0, 1)``.
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
        draw()  # the draws that would detect exhausted datasets: later draws are the same as in datadings


def pick(draws: NDArray[np.float64], lens: Sequence[int]) -> NDArray[np.int64]:
    """For each number in ``[0, 1)``, the dataset whose share of all samples contains it."""
    total = sum(lens)
    bounds = list(accumulate(n / total for n in lens))
    # Rounding may leave the last bound below 1.
    return np.minimum(np.searchsorted(bounds, draws, side="right"), len(lens) - 1)


def first_in_vain(picks: NDArray[np.int64], left: NDArray[np.int64]) -> tuple[int, int | None]:
    """Position of the first pick of an exhausted dataset, and that dataset; the end and None if there is none."""
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
    """Write the next sample of each chosen reader."""
    # Take the samples of each reader together, then put them in the chosen order.
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
    """Add the arguments."""
    parser.add_argument("infile", nargs="+", help="datasets to merge")
    parser.add_argument("outfile", help="dataset to write")
    parser.add_argument(
        "-s",
        "--strategy",
        default="random",
        choices=("concat", "random"),
        help="how to merge (default: random)",
    )
    parser.add_argument("--shuffle", action="store_true", help="shuffle each dataset first")
    add_no_confirm(parser)
    add_seed(parser)
    add_storage_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Merge datasets. Returns the exit code."""
    merge = merge_random if args.strategy == "random" else merge_concat
    with keeping_what_exists():
        merge(
            args.infile,
            args.outfile,
            args.shuffle,
            overwrite=args.no_confirm,
            seed=args.seed,
            storage_options=storage_options(args),
        )
    return 0


def entry() -> None:
    """The console script ``ddfast-merge``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-merge"))


if __name__ == "__main__":
    entry()
