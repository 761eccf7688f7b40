"""Describe a dataset: samples, sizes, fields, keys and index files.

The sizes of all samples are taken from the index. The fields of samples, with types and shapes, are
determined from --samples samples, evenly distributed. Several files are treated as the shards of
one dataset; those that cannot be read are named and left out. For a folder of annotations in any
format, and for a dataset with annotations, subsets and labels are counted.

Examples:
  ddfast info 'data/train-*.msgpack' --samples 100
  ddfast info coco/
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ddfast.commands import _annotated, _run
from ddfast.commands._files import sources, without_index_files
from ddfast.commands._options import positive
from ddfast.commands._places import add_storage_arguments, placed, storage_options
from ddfast.commands._survey import Each, Kind, Shard, Survey, survey

BAR = 40
FIELDS_SHOWN = 200


def info(
    paths: Iterable[str | os.PathLike[str]],
    samples: int = 1000,
    storage_options: Mapping[str, Any] | None = None,
    each: Each = map,
) -> Survey:
    """Examine the shards of a dataset.

    Parameters:
        paths: data files; paths or URLs.
        samples: number of samples to decode for the fields.
        storage_options: options for URLs, see `ddfast.storage.open_storage`.
        each: as that of `survey`.

    Raises:
        DatasetNotFoundError: a file or its index is missing.
        IndexFileError: an index is damaged.
    """
    with ExitStack() as stack:
        places = list(each(lambda path: stack.enter_context(placed(path, storage_options)), paths))
        return survey(places, samples, each)


def report(found: Survey) -> str:
    """The result as text."""
    return "\n".join([*_heads(found), *_sizes(found), *_fields(found)])


def _heads(found: Survey) -> Iterator[str]:
    for shard in found.shards:
        yield f"{shard.path}: {shard.samples:,} samples, {shard.bytes:,} bytes"
        if len(found.shards) == 1:
            yield from _neighbours(shard)
    if len(found.shards) > 1:
        yield f"together: {len(found.shards):,} files, {found.samples:,} samples, {found.bytes:,} bytes"


def _file_name(shard: Shard) -> str:
    return str(shard.path).partition("?")[0].rpartition("/")[2]


def _neighbours(shard: Shard) -> Iterator[str]:
    files = ", ".join(
        f"{name.removeprefix(_file_name(shard))} {size:,}" for name, size in shard.index.items()
    )
    yield f"  index files, bytes: {files}; {'with' if shard.md5 else 'no'} .md5"
    if shard.keys:
        dots = ["..."] if shard.samples > len(shard.keys) else []
        yield f"  keys: {', '.join([*map(repr, shard.keys[:-1]), *dots, repr(shard.keys[-1])])}"


def _sizes(found: Survey) -> Iterator[str]:
    if not found.sizes:
        return
    yield ""
    values = ", ".join(f"{name} {value:,.0f}" for name, value in found.sizes.items())
    yield f"bytes per sample: {values}"
    width = max(len(f"{high:,}") for _, high, _ in found.histogram)
    most = max(count for *_, count in found.histogram)
    digits = len(f"{most:,}")
    for low, high, count in found.histogram:
        bar = "#" * (-(-BAR * count // most))
        yield f"  {low:>{width},} to {high - 1:>{width},}  {count:>{digits},}  {bar}".rstrip()


def _fields(found: Survey) -> Iterator[str]:
    if not found.sampled:
        return
    yield ""
    yield f"fields of {found.sampled:,} of {found.samples:,} samples:"
    width = max(map(len, islice(found.fields, FIELDS_SHOWN)), default=0)
    for name, kinds in islice(found.fields.items(), FIELDS_SHOWN):
        for number, kind in enumerate(kinds):
            share = "all" if kind.count == found.sampled else f"{kind.count:,}"
            yield f"  {name if number == 0 else '':<{width}}  {share:>{len(f'{found.sampled:,}')}}  {describe(kind)}"
    if len(found.fields) > FIELDS_SHOWN:
        yield f"  and {len(found.fields) - FIELDS_SHOWN:,} more fields; --json lists all"
    if found.unreadable:
        yield f"  {len(found.unreadable):,} cannot be decoded; first error: {found.unreadable[0]}"


def describe(kind: Kind) -> str:
    """A kind of values as text, such as ``ndarray float32 (3, 200 to 224)``."""
    if kind.low is None or kind.high is None:
        return kind.type
    ranges = [
        f"{low:,}" if low == high else f"{low:,} to {high:,}"
        for low, high in zip(kind.low, kind.high, strict=True)
    ]
    if kind.type.startswith("ndarray"):
        return f"{kind.type} ({', '.join(ranges)}{',' * (len(ranges) == 1)})"
    unit = {"bytes": "bytes", "str": "characters"}.get(kind.type, "items")
    return f"{kind.type}, {ranges[0]} {unit}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="datasets: .msgpack files, URLs or glob patterns")
    add_storage_arguments(parser)
    add(
        "--samples",
        type=positive,
        default=1000,
        metavar="N",
        help="number of samples to decode (default: 1000)",
    )
    add("--json", action="store_true", help="print the result as JSON")


def main(args: argparse.Namespace) -> int:
    """Print a description. Returns the exit code."""
    options = storage_options(args)
    several = _run.Several(args.prog)
    folders = [name for name in args.files if Path(name).is_dir()]
    names = [name for name in args.files if name not in folders]
    paths = (
        several.expand(without_index_files(names), partial(sources, storage_options=options)) if names else []
    )
    found = info(paths, args.samples, options, several.each)
    annotated = [*folders, *(str(path) for path in paths if _annotated.is_annotated(path))]
    summaries = list(several.each(lambda path: (path, _annotated.summary(path)), annotated))
    if args.json and (found.shards or summaries):
        shown = found.to_dict() if found.shards else {}
        _run.say(json.dumps(shown | ({"annotated": dict(summaries)} if summaries else {}), indent=2))
    elif not args.json:
        texts = [report(found)] if found.shards else []
        texts += ["\n".join(_annotated.lines(path, numbers)) for path, numbers in summaries]
        if texts:
            _run.say("\n".join(texts))
    return several.status


def entry() -> None:
    """The console script ``ddfast-info``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-info"))


if __name__ == "__main__":
    entry()
