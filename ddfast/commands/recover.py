"""Recover the samples of a killed writer or of a damaged dataset.

Without -o, FILE is a dataset whose writer was killed or stopped by a full disk. If all samples were
written, the command renames the files of the dataset; otherwise it makes a dataset of all complete
samples in the draft. The last samples of a killed writer were in its memory, up to about 16 MiB since
the last flush(): they are not in the draft. With -o, the command only writes OUT: the samples that a
killed writer left of FILE, or, if there are none, all intact samples of the damaged dataset FILE, which
may be a URL: its files are first copied to a temporary folder beside OUT.
Index files that are damaged are used as far as they agree with the data. The command reports the
number of lost samples, and index, key and bytes as far as they are known. The exit status is 0 if no
sample is lost, 1 if samples are lost, and 2 for wrong arguments.

Example:
  ddfast recover damaged.msgpack -o recovered.msgpack
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddfast import RawWriter
from ddfast.commands import _run
from ddfast.commands._files import confirm_overwrite
from ddfast.commands._move import add_no_confirm, open_writer, refuse_same
from ddfast.commands._places import (
    Options,
    StrPath,
    add_storage_arguments,
    is_remote,
    local_path,
    placed,
    shown_name,
    storage_options,
)
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
IN_MEMORY = (
    "not counted: the last samples of a killed writer, up to about 16 MiB since its last flush(), "
    "which were in its memory"
)
USAGE = 2


class UsageError(ValueError):
    """The arguments do not match the existing files."""


@dataclass
class Recovered:
    """The result of a recovery.

    Parameters:
        path: the dataset that was written.
        what: a description of its samples.
        samples: number of recovered samples.
        lost: the lost samples, or parts of the file in which samples are lost.
        missing: number of lost samples; None if no index file has their number.
        note: what else may be lost.
    """

    path: StrPath
    what: str
    samples: int = 0
    lost: list[LostSamples] = field(default_factory=list)
    missing: int | None = 0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The result in a form for JSON."""
        return {
            "file": shown_name(self.path),
            "what": self.what,
            "samples": self.samples,
            "lost_samples": self.missing,
            "lost": [lost.to_dict() for lost in self.lost],
            "note": self.note,
        }


def recover(
    path: StrPath, outfile: StrPath | None = None, overwrite: bool = False, storage_options: Options = None
) -> Recovered:
    """Recover samples.

    Parameters:
        path: the dataset; a path, or, with `outfile`, a URL, whose files are copied to a temporary folder first.
        outfile: data file of the result; None to finish the unfinished dataset under its own name.
        overwrite: replace an existing file without asking.
        storage_options: options for URLs, see `ddfast.storage.open_storage`.

    Raises:
        UsageError: without `outfile`, there is no unfinished dataset; with it, the dataset is complete.
        DatasetBusyError: the writer is still running.
        FileExistsError: the user wants to keep the existing file.
    """
    if is_remote(path):
        if outfile is None:
            raise UsageError(_no_draft(path))
        refuse_same([path], [outfile])
        beside = None if is_remote(outfile) else local_path(outfile).absolute().parent
        with placed(path, storage_options, beside) as place:
            place.copy_data()
            return _salvage(place.base, outfile, overwrite, storage_options)
    path = local_path(path)
    left = find_unfinished(path)
    if outfile is None:
        return _finish(path, left, overwrite)
    refuse_same([path], [outfile])
    if left is not None and left.is_complete:
        raise UsageError(f"{path} is complete except for renaming its files: run the command without -o")
    if left is not None:
        with open_writer(outfile, left.announced, overwrite, storage_options) as writer:
            for part in left.chunks():
                write_piece(writer, part.keys, part.sizes.tolist(), part.buffers)
        return _unfinished(outfile, left, writer.written)
    if not path.exists():
        raise DatasetNotFoundError(f"{path} not found, and there is no unfinished dataset of that name")
    return _salvage(path, outfile, overwrite, storage_options)


def _salvage(path: Path, outfile: StrPath, overwrite: bool, options: Options) -> Recovered:
    """Write the intact samples of a damaged dataset to another."""
    salvage = Salvage(path)
    with open_writer(outfile, 0, overwrite, options) as writer:
        for part in salvage.chunks():
            writer.write_many(part.keys, part.buffers)
    missing = None if salvage.lost else 0
    if salvage.listed is not None:
        missing = max(salvage.listed - writer.written, len(salvage.lost) and 1)
    return Recovered(outfile, "intact samples", writer.written, salvage.lost, missing)


def _no_draft(url: StrPath) -> str:
    return (
        f"{shown_name(url)} is a URL, where killed writers leave no unfinished dataset. To recover the intact samples "
        "of a damaged one, use -o"
    )


def write_piece(writer: RawWriter, keys: list[str], sizes: list[int], buffers: list[Any]) -> None:
    """Write samples that are contiguous in one buffer."""
    data, samples, at = memoryview(buffers[0]), [], 0
    for size in sizes:
        samples.append(data[at : at + size])
        at += size
    writer.write_many(keys, samples)


def _finish(path: Path, left: UnfinishedDataset | None, overwrite: bool) -> Recovered:
    if finish_unfinished(path):
        return Recovered(path, "complete, files renamed")
    if left is None:
        raise UsageError(
            f"there is no unfinished dataset {path}. To recover the intact samples of a damaged one, use -o"
        )
    if path.exists() and not overwrite:
        confirm_overwrite(f"{path.name} exists, overwrite it with the unfinished dataset?")
    writer = RawWriter(path, overwrite=True, resume=True, disable=None)
    if writer.written:
        writer.close()
    else:
        writer.discard()
    return _unfinished(path, left, writer.written)


def _unfinished(path: StrPath, left: UnfinishedDataset, saved: int) -> Recovered:
    """The result for a draft: samples that are in the journal but not in the draft are lost."""
    missing = max(0, left.announced - saved)
    reason = f"{missing:,} samples from index {saved} on were not completely written"
    lost = [LostSamples(left.size, max(left.size, left.announced_size), reason)] if missing else []
    return Recovered(path, "unfinished dataset", saved, lost, missing, IN_MEMORY)


def report(result: Recovered) -> str:
    """The result as text."""
    lost = f"{result.missing:,}"
    if result.missing is None:
        lost = f"an unknown number in {len(result.lost):,} parts of the file"
    counts = f"{result.samples:,} samples recovered, {lost} lost"
    lines = [f"{shown_name(result.path)}: {result.what}: {counts}"]
    lines += [f"  {lost}" for lost in result.lost[:SHOWN]]
    if len(result.lost) > SHOWN:
        lines.append(f"  and {len(result.lost) - SHOWN:,} more; --json lists all")
    return "\n".join([*lines, *([f"  {result.note}"] if result.note else [])])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("file", metavar="FILE", help="dataset: a .msgpack file, which need not exist yet, or a URL")
    add("-o", "--outfile", metavar="OUT", help="write the samples to this dataset, and do not change FILE")
    add(
        "--discard",
        action="store_true",
        help="remove the unfinished dataset that a killed writer left of FILE",
    )
    add("--json", action="store_true", help="print the result as JSON")
    add_no_confirm(parser)
    add_storage_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Recover samples and print the result. Returns the exit code."""
    if args.discard:
        return _discard(args)
    try:
        result = recover(args.file, args.outfile, args.no_confirm, storage_options(args))
    except UsageError as error:
        _run.say(f"ddfast recover: {error}", sys.stderr)
        return USAGE
    _run.say(json.dumps(result.to_dict(), indent=2) if args.json else report(result))
    return _run.FAILED if result.lost else 0


def _discard(args: argparse.Namespace) -> int:
    if args.outfile:
        print("ddfast recover: --discard cannot be combined with -o", file=sys.stderr)
        return USAGE
    if is_remote(args.file):
        _run.say(f"ddfast recover: {_no_draft(args.file)}", sys.stderr)
        return USAGE
    found = discard_unfinished(args.file)
    print(f"{args.file}: {'unfinished dataset removed' if found else 'no unfinished dataset found'}")
    return 0


def entry() -> None:
    """The console script ``ddfast-recover``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-recover"))


if __name__ == "__main__":
    entry()
