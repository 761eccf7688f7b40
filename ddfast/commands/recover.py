"""Save what a writer left that died, or what is sound of a damaged dataset.

Without -o, FILE is a dataset whose writer died or was stopped by a full disk. If it was complete, its
files get their names; else all whole samples that were written become the dataset. With -o, nothing but
OUT is written: it gets the samples that a dead writer left of FILE, or if there are none, all sound
samples of the damaged dataset FILE. What is lost is told with index, key and bytes. The exit status is
0 where nothing is lost, 1 where something is, 2 for wrong arguments.

Example:
  ddfast recover damaged.msgpack -o sound.msgpack
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddfast import RawWriter
from ddfast.commands import _run
from ddfast.commands._files import confirm_overwrite
from ddfast.commands._move import add_no_confirm, open_writer, refuse_same
from ddfast.errors import DatasetNotFoundError
from ddfast.recovery import (
    LostSamples,
    Salvage,
    UnfinishedDataset,
    discard_unfinished,
    find_unfinished,
    finish_unfinished,
)

SHOWN = 20
USAGE = 2


class UsageError(ValueError):
    """Arguments that do not fit what is there."""


@dataclass
class Recovered:
    """What was saved.

    Parameters:
        path: the dataset that was written.
        what: it is, in words.
        samples: that were saved.
        lost: what was not.
    """

    path: Path
    what: str
    samples: int = 0
    lost: list[LostSamples] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "file": str(self.path),
            "what": self.what,
            "samples": self.samples,
            "lost": [lost.to_dict() for lost in self.lost],
        }


def recover(
    path: str | os.PathLike[str], outfile: str | os.PathLike[str] | None = None, overwrite: bool = False
) -> Recovered:
    """Save samples.

    Parameters:
        path: the dataset.
        outfile: data file of the result; None to finish what a dead writer left under its own name.
        overwrite: replace what exists without asking.

    Raises:
        UsageError: without `outfile` there is nothing to finish, or with it what is complete.
        DatasetBusyError: the writer is alive.
        FileExistsError: the user wants to keep what exists.
    """
    path = Path(path)
    left = find_unfinished(path)
    if outfile is None:
        return _finish(path, left, overwrite)
    refuse_same([path], [outfile])
    if left is not None and left.is_complete:
        raise UsageError(f"{path} is complete, and only its files lack their names: leave out -o")
    if left is not None:
        with open_writer(outfile, left.announced, overwrite) as writer:
            for piece in left.chunks():
                write_piece(writer, piece.keys, piece.sizes.tolist(), piece.buffers)
        return Recovered(Path(outfile), "what a writer left", writer.written, _missing(left, writer.written))
    if not path.exists():
        raise DatasetNotFoundError(f"{path} not found, and no writer has left anything of it")
    salvage = Salvage(path)
    with open_writer(outfile, 0, overwrite) as writer:
        for piece in salvage.chunks():
            writer.write_many(piece.keys, piece.buffers)
    return Recovered(Path(outfile), "what is sound", writer.written, salvage.lost)


def write_piece(writer: RawWriter, keys: list[str], sizes: list[int], buffers: list[Any]) -> None:
    """Write samples that lie one after the other in one buffer."""
    data, samples, at = memoryview(buffers[0]), [], 0
    for size in sizes:
        samples.append(data[at : at + size])
        at += size
    writer.write_many(keys, samples)


def _finish(path: Path, left: UnfinishedDataset | None, overwrite: bool) -> Recovered:
    if finish_unfinished(path):
        return Recovered(path, "complete; its files have their names")
    if left is None:
        raise UsageError(
            f"no writer has left anything of {path}. To save what is sound of it, name a file with -o"
        )
    if path.exists() and not overwrite:
        confirm_overwrite(f"{path.name} exists, overwrite it with what a writer left?")
    writer = RawWriter(path, overwrite=True, resume=True, disable=None)
    if writer.written:
        writer.close()
    else:
        writer.discard()
    return Recovered(path, "what a writer left", writer.written, _missing(left, writer.written))


def _missing(left: UnfinishedDataset, saved: int) -> list[LostSamples]:
    """Samples that were on their way to the draft."""
    if saved >= left.announced:
        return []
    reason = f"{left.announced - saved:,} samples from index {saved} on had not reached the file as a whole"
    return [LostSamples(left.size, max(left.size, left.announced_size), reason)]


def report(result: Recovered) -> str:
    """The result for people."""
    lines = [f"{result.path}: {result.what}: {result.samples:,} samples saved, {len(result.lost):,} lost"]
    lines += [f"  {lost}" for lost in result.lost[:SHOWN]]
    if len(result.lost) > SHOWN:
        lines.append(f"  and {len(result.lost) - SHOWN:,} more; --json tells all")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("file", metavar="FILE", help="dataset, a .msgpack file that may not be there yet")
    add("-o", "--outfile", metavar="OUT", help="write the samples to this dataset, and leave FILE alone")
    add("--discard", action="store_true", help="remove what a dead writer left of FILE")
    add("--json", action="store_true", help="print the result as JSON")
    add_no_confirm(parser)


def main(args: argparse.Namespace) -> int:
    """Recover and print; returns the exit code."""
    if args.discard:
        return _discard(args)
    try:
        result = recover(args.file, args.outfile, args.no_confirm)
    except UsageError as error:
        _run.say(f"ddfast recover: {error}", sys.stderr)
        return USAGE
    _run.say(json.dumps(result.to_dict(), indent=2) if args.json else report(result))
    return _run.FAILED if result.lost else 0


def _discard(args: argparse.Namespace) -> int:
    if args.outfile:
        print("ddfast recover: --discard writes no dataset: leave out -o", file=sys.stderr)
        return USAGE
    found = discard_unfinished(args.file)
    print(f"{args.file}: {'what a writer left is removed' if found else 'no writer has left anything'}")
    return 0


def entry() -> None:
    """The console script ``ddfast-recover``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-recover"))


if __name__ == "__main__":
    entry()
