"""Check datasets for damage: digests, index and every message.

The command compares the MD5 of all files with the MD5 file, and offsets, keys, key hashes and filter
with each other and with the samples. It checks every message without decoding it, and compares each
sample with its checksum, if the dataset has checksums (train.msgpack.xxh3). For each error it prints
file, sample, key, byte position and what to do. The exit status is 0 for intact datasets, 1 for damaged
or unreadable ones, and 2 for wrong arguments.

Examples:
  ddfast verify --quick 'data/train-*.msgpack'
  ddfast verify s3://bucket/train.msgpack --storage-option region=eu-central-1
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ddfast.commands import _run
from ddfast.commands._checks import SHOWN, Check
from ddfast.commands._files import sources, without_index_files
from ddfast.commands._places import add_storage_arguments, placed, storage_options


def verify(
    path: str | os.PathLike[str], quick: bool = False, storage_options: Mapping[str, Any] | None = None
) -> Check:
    """Check one dataset.

    Parameters:
        path: the data file; a path or a URL, which is read completely.
        quick: skip MD5 digests.
        storage_options: options for a URL, see `ddfast.storage.open_storage`.

    Returns:
        The result, see `Check.sound` and `Check.findings`.

    Raises:
        OSError: a file cannot be read.
    """
    with placed(path, storage_options) as place:
        return Check(place, quick).run()


def report(check: Check) -> str:
    """The result as text."""
    what = f"{check.samples:,} samples, {check.size:,} bytes"
    lines = [f"{check.path}: {'intact' if check.sound else 'damaged'} ({what})"]
    lines += [f"  {finding}" for finding in check.findings]
    lines += [f"  and {count:,} more: {kind}" for kind, count in check.untold.items()]
    if len(check.damaged) > SHOWN:
        lines.append(f"  damaged samples: {ranges(check.damaged)}")
    if check.keyless:
        lines.append(
            f"  note: {check.keyless:,} samples have no string under 'key'; their keys were not compared"
        )
    return "\n".join(lines)


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as ranges, such as ``3, 5-9``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def to_dict(check: Check) -> dict[str, Any]:
    """The result in a form for JSON."""
    return {
        "file": str(check.path),
        "sound": check.sound,
        "samples": check.samples,
        "bytes": check.size,
        "keyless": check.keyless,
        "damaged": check.damaged,
        "findings": [finding.to_dict() for finding in check.findings],
        "more": check.untold,
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="datasets: .msgpack files, URLs or glob patterns")
    add_storage_arguments(parser)
    add("--quick", action="store_true", help="skip the MD5 digests, which take most of the time")
    add("--json", action="store_true", help="print the result as JSON")


def main(args: argparse.Namespace) -> int:
    """Check datasets and print the result. Returns the exit code."""
    checks = []
    options = storage_options(args)
    several = _run.Several(args.prog)
    paths = several.expand(without_index_files(args.files), partial(sources, storage_options=options))
    for check in several.each(lambda path: verify(path, args.quick, options), paths):
        checks.append(check)
        if not args.json:
            _run.say(report(check))
    if args.json:
        print(json.dumps([to_dict(check) for check in checks], indent=2))
    return several.status if all(check.sound for check in checks) else _run.FAILED


def entry() -> None:
    """The console script ``ddfast-verify``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-verify"))


if __name__ == "__main__":
    entry()
