"""Print the samples of a dataset, abbreviated.

The output has one line per sample. Strings are shortened to --maxstring characters, other values
to 30, and lists to 6 items. With --json, each line is a JSON object with complete values, except
bytes and arrays, which are described by type and size.

Example:
  ddfast cat train.msgpack --start 1000 -n 5
"""

from __future__ import annotations

import argparse
import json
import os
import reprlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ddfast.commands import _run
from ddfast.commands._options import positive
from ddfast.commands._places import add_storage_arguments, storage_options
from ddfast.reader import MsgpackReader

MAXSTRING = 40

# Readers refuse more than 1,024 levels of nesting; each takes a few calls, in `plain` and in `json`.
RECURSION = 10_000


class Short(reprlib.Repr):
    """Abbreviations of `reprlib.Repr`, computed without processing all of a long ``bytes``."""

    def repr_bytes(self, value: bytes, level: int) -> str:
        """Abbreviate a value to its start and end."""
        keep = self.maxother
        if len(value) > 2 * keep:
            # The middle is not printed, but determines which quotes repr uses.
            middle = b"'" if b"'" in value and b'"' not in value else b'"'
            value = value[:keep] + middle + value[-keep:]
        return self.repr_instance(value, level)


def cat(
    infile: str | os.PathLike[str],
    maxstring: int = MAXSTRING,
    start: int = 0,
    stop: int | None = None,
    as_json: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Print samples, one per line.

    Parameters:
        infile: the data file; a path or a URL.
        maxstring: maximum length of strings.
        start, stop: range of samples, as in a Python slice.
        as_json: print JSON instead of abbreviated Python.
        storage_options: options for a URL, see `ddfast.storage.open_storage`.
    """
    short = Short()
    short.maxstring = maxstring
    short.maxdict = sys.maxsize
    with _opened(infile, storage_options) as reader, deep_enough():
        for sample in reader.slice(start, stop):
            print(json.dumps(plain(sample), ensure_ascii=False) if as_json else short.repr(sample))


@contextmanager
def deep_enough() -> Iterator[None]:
    """Python's limit of recursion is high enough to print samples of any depth that readers accept."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def cat_keys(
    infile: str | os.PathLike[str],
    start: int = 0,
    stop: int | None = None,
    as_json: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Print keys, one per line. The parameters are those of `cat`."""
    with _opened(infile, storage_options) as reader:
        keys = reader.keys()
        for index in range(*slice(start, stop).indices(len(keys))):
            print(
                json.dumps(keys[index], ensure_ascii=False)
                if as_json
                else keys[index].translate(_run.CONTROLS)
            )


def plain(value: Any) -> Any:
    """A value in a form for JSON: descriptions of bytes and arrays, and text for numbers that JSON does not support."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else repr(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return {"type": "bytes", "size": len(value)}
    if isinstance(value, np.ndarray):
        return {"type": "ndarray", "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return repr(value)
    return value if isinstance(value, str | int | float | None) else repr(value)


@contextmanager
def _opened(
    infile: str | os.PathLike[str], storage_options: Mapping[str, Any] | None
) -> Iterator[MsgpackReader]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # printing samples does not need their keys
        reader = MsgpackReader(infile, storage_options=storage_options)
    with reader:
        yield reader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("infile", metavar="FILE", help="dataset: a .msgpack file or a URL")
    add_storage_arguments(parser)
    add(
        "-s",
        "--maxstring",
        type=positive,
        default=MAXSTRING,
        metavar="N",
        help="maximum number of characters of a string (default: 40)",
    )
    add(
        "--start",
        type=int,
        default=0,
        metavar="I",
        help="index of the first sample; negative values count from the end (default: 0)",
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--stop", type=int, metavar="I", help="index of the sample to stop before (default: the end)"
    )
    end.add_argument(
        "-n", "--limit", type=positive, metavar="N", help="number of samples to print (default: all)"
    )
    add("--keys", action="store_true", help="print only the keys, without reading samples")
    add("--json", action="store_true", help="print one JSON value per line")


def main(args: argparse.Namespace) -> int:
    """Print samples or keys. Returns the exit code."""
    stop = args.stop
    if args.limit is not None and (args.start >= 0 or args.start + args.limit < 0):
        stop = args.start + args.limit
    options = storage_options(args)
    if args.keys:
        cat_keys(args.infile, args.start, stop, args.json, options)
    else:
        cat(args.infile, args.maxstring, args.start, stop, args.json, options)
    return 0


def entry() -> None:
    """The console script ``ddfast-cat``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-cat"))


if __name__ == "__main__":
    entry()
