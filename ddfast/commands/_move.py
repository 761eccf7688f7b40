"""Functions of the commands that copy samples: checks of paths, and copying of packed samples."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ddfast import Batch, MsgpackReader, RawWriter
from ddfast.commands._places import Options, data_size, is_remote, local_path, shown_name, without_query
from ddfast.errors import InvalidSampleError, KernelError
from ddfast.recovery import discard_unfinished, find_unfinished

StrPath = str | os.PathLike[str]

# Samples are read, checked and written in pieces of about this size: large enough that the threads which hash and write
# rarely wait for the GIL, and small compared with the memory for reading ahead.
BATCH_BYTES = 2 << 20
BATCH_SAMPLES = 1 << 14

# Memory for reading ahead: writing takes most of the time, so a reader need not be far ahead of it.
PREFETCH_BYTES = 128 << 20
QUEUE_DEPTH = 32


def open_reader(infile: StrPath, options: Options, together: int = 1) -> MsgpackReader:
    """A reader of a dataset.

    Parameters:
        infile: path or URL of the data file.
        options: storage options for a URL.
        together: number of readers that share the memory for reading ahead.
    """
    return MsgpackReader(
        infile,
        prefetch_bytes=max(1, PREFETCH_BYTES // together),
        queue_depth=max(2, QUEUE_DEPTH // together),
        storage_options=options,
    )


def batch_size(infiles: Iterable[StrPath], samples: int, options: Options) -> int:
    """Number of samples to copy at a time: about 2 MiB.

    Parameters:
        infiles: data files; paths or URLs.
        samples: total number of their samples.
        options: storage options for URLs.
    """
    mean = sum(data_size(path, options) for path in infiles) / max(1, samples)
    return max(1, min(BATCH_SAMPLES, int(BATCH_BYTES / max(1.0, mean))))


def refuse_same(infiles: Sequence[StrPath], outfiles: Sequence[StrPath]) -> None:
    """Make sure that no output is also an input or another output, under any of its names.

    Raises:
        ValueError: an output is also an input or another output.
    """
    for i, outfile in enumerate(outfiles):
        if any(_same(infile, outfile) for infile in infiles):
            raise ValueError(f"{shown_name(outfile)} is also the input. Write to another file")
        if any(_same(other, outfile) for other in outfiles[:i]):
            raise ValueError(
                f"{shown_name(outfile)} is given twice as output. Use a different name for each output"
            )


@contextmanager
def open_writer(
    outfile: StrPath, total: int, overwrite: bool, options: Options = None
) -> Iterator[RawWriter]:
    """A writer that shows its progress on a terminal, and leaves nothing behind after an error.

    Parameters:
        outfile: path or URL of the data file.
        total: expected number of samples.
        overwrite: replace an existing dataset without asking.
        options: storage options for a URL.

    Raises:
        FileExistsError: the user wants to keep the existing file.
        ValueError: the file exists, and there is no terminal to ask.
        OSError: the file system refuses to write.
    """
    try:
        own = options if is_remote(outfile) else None
        writer = RawWriter(outfile, overwrite=overwrite, total=total, disable=None, storage_options=own)
    except EOFError:
        raise ValueError(
            f"{shown_name(outfile)} exists, and there is no terminal to ask whether to overwrite it. Use --no-confirm "
            "to overwrite"
        ) from None
    try:
        with writer:
            yield writer
    except OSError as error:
        if is_remote(outfile):  # an upload leaves nothing
            raise
        found = find_unfinished(outfile)
        if found is None or found.is_complete or not isinstance(error.__cause__, OSError):
            raise
        discard_unfinished(outfile)  # the inputs still have all samples
        raise OSError(error.errno, error.__cause__.strerror, str(outfile)) from error


@contextmanager
def keeping_what_exists() -> Iterator[None]:
    """Continue if the user chooses to keep an existing dataset, which is not an error."""
    try:
        yield
    except FileExistsError as error:
        if error.errno is not None:  # from the system, not from the user
            raise
        print(f"{error} is left unchanged")


def copy(batches: Iterable[Batch], writer: RawWriter) -> None:
    """Write the samples of raw batches. Raises CorruptSampleError, which names the dataset, for a damaged sample."""
    for batch in batches:
        write(writer, batch.keys, batch, batch.decode)


def write(
    writer: RawWriter, keys: Sequence[str], samples: Sequence[Any], decode: Callable[[int], object]
) -> None:
    """Write packed samples.

    Parameters:
        writer: where to write.
        keys: keys of the samples.
        samples: a batch, or packed messages.
        decode: decodes one of them; its error for a damaged sample names the dataset of the sample.
    """
    try:
        writer.write_many(keys, samples)
    except InvalidSampleError as error:
        if isinstance(error.__cause__, KernelError):
            decode(error.__cause__.item)
        raise


def stretch(reader: MsgpackReader, start: int, stop: int, size: int) -> Iterable[Batch]:
    """Raw batches of up to `size` of the samples ``[start, stop)``, in order."""
    return reader.batches(size, raw=True, indices=np.arange(start, stop))


def add_no_confirm(parser: argparse.ArgumentParser) -> None:
    """Add the option to overwrite without asking."""
    parser.add_argument("-y", "--no-confirm", action="store_true", help="overwrite files without asking")


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the option for the seed of all random choices."""
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of the random choices; the same seed gives the same result",
    )


def _same(one: StrPath, other: StrPath) -> bool:
    """Whether two paths or URLs name the same existing or future file."""
    if is_remote(one) or is_remote(other):
        return is_remote(one) and is_remote(other) and without_query(one) == without_query(other)
    one, other = local_path(one), local_path(other)
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    return one.exists() and other.exists() and one.samefile(other)  # hard links
