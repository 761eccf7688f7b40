"""What the commands that move samples share: checks of paths, and the copying of packed samples."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ddfast import Batch, MsgpackReader, RawWriter
from ddfast.errors import InvalidSampleError, KernelError
from ddfast.recovery import discard_unfinished, find_unfinished

StrPath = str | os.PathLike[str]

# Samples are read, checked and written about this much at a time: enough that the threads which hash and write are
# rarely kept waiting for the GIL, and little beside the memory that reading ahead takes.
BATCH_BYTES = 2 << 20
BATCH_SAMPLES = 1 << 14

# Memory for what is read ahead: writing is what takes the time, so a reader need not be far ahead of it.
PREFETCH_BYTES = 128 << 20
QUEUE_DEPTH = 32


def open_reader(infile: StrPath, together: int = 1) -> MsgpackReader:
    """A reader of a dataset, one of so many that are used together."""
    return MsgpackReader(
        infile,
        prefetch_bytes=max(1, PREFETCH_BYTES // together),
        queue_depth=max(2, QUEUE_DEPTH // together),
    )


def batch_size(infiles: Iterable[StrPath], samples: int) -> int:
    """How many samples to take at a time: about 2 MiB.

    Parameters:
        infiles: data files.
        samples: that they have together.
    """
    mean = sum(Path(path).stat().st_size for path in infiles) / max(1, samples)
    return max(1, min(BATCH_SAMPLES, int(BATCH_BYTES / max(1.0, mean))))


def refuse_same(infiles: Sequence[StrPath], outfiles: Sequence[StrPath]) -> None:
    """Make sure that no file is to be written to twice, or read and written to, whatever its names are.

    Raises:
        ValueError: one is.
    """
    for i, outfile in enumerate(outfiles):
        if any(_same(infile, outfile) for infile in infiles):
            raise ValueError(f"{outfile} is the input, too. Write to another file")
        if any(_same(other, outfile) for other in outfiles[:i]):
            raise ValueError(f"{outfile} is named twice as output. Give every output a name of its own")


@contextmanager
def open_writer(outfile: StrPath, total: int, overwrite: bool) -> Iterator[RawWriter]:
    """A writer that shows its progress where somebody can see it, and leaves nothing when it fails.

    Raises:
        FileExistsError: the user wants to keep what exists.
        ValueError: there is nobody to ask.
        OSError: the file system refuses.
    """
    try:
        writer = RawWriter(outfile, overwrite=overwrite, total=total, disable=None)
    except EOFError:
        raise ValueError(
            f"{outfile} exists, and nobody answers whether to overwrite it. Say --no-confirm to do so"
        ) from None
    try:
        with writer:
            yield writer
    except OSError as error:
        found = find_unfinished(outfile)
        if found is None or found.is_complete or not isinstance(error.__cause__, OSError):
            raise
        discard_unfinished(outfile)  # the samples are still where they came from
        raise OSError(error.errno, error.__cause__.strerror, str(outfile)) from error


@contextmanager
def keeping_what_exists() -> Iterator[None]:
    """Go on where the user chooses to keep a dataset: nothing has failed."""
    try:
        yield
    except FileExistsError as error:
        if error.errno is not None:  # not an answer of the user, but of the system
            raise
        print(f"{error} is left as it is")


def copy(batches: Iterable[Batch], writer: RawWriter) -> None:
    """Write the samples of raw batches. Raises CorruptSampleError, naming the dataset, where one is damaged."""
    for batch in batches:
        write(writer, batch.keys, batch, batch.decode)


def write(
    writer: RawWriter, keys: Sequence[str], samples: Sequence[Any], decode: Callable[[int], object]
) -> None:
    """Write packed samples.

    Parameters:
        writer: takes them.
        keys: of the samples.
        samples: batch or packed messages.
        decode: decodes one of them; what it raises for one that is damaged names the dataset that it is from.
    """
    try:
        writer.write_many(keys, samples)
    except InvalidSampleError as error:
        if isinstance(error.__cause__, KernelError):
            decode(error.__cause__.item)
        raise


def stretch(reader: MsgpackReader, start: int, stop: int, size: int) -> Iterable[Batch]:
    """Raw batches of the samples ``[start, stop)``, in order, of up to `size` samples."""
    return reader.batches(size, raw=True, indices=np.arange(start, stop))


def add_no_confirm(parser: argparse.ArgumentParser) -> None:
    """Declare the option to overwrite without asking."""
    parser.add_argument("-y", "--no-confirm", action="store_true", help="overwrite files without asking")


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Declare the seed of all random choices."""
    parser.add_argument("--seed", type=int, metavar="N", help="make the same random choices each time")


def _same(one: StrPath, other: StrPath) -> bool:
    """Whether two paths name one file, or would."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    one, other = Path(one), Path(other)
    return one.exists() and other.exists() and one.samefile(other)  # as hard links are
