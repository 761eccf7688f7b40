"""Remove datasets with all of their files.

A dataset is a data file and the files next to it that begin with its name: train.msgpack.offsets,
.keys, .key_hashes, .filter, .md5 and .xxh3 (.index in older datasets). The command removes these
files without asking, and no others. A dataset that is being written is refused. What a killed writer
left is kept: `ddfast recover --discard` removes it. The exit status is 0 if everything was removed
and 1 otherwise.

Examples:
  ddfast rm train.msgpack
  ddfast rm --dry-run 'shards/old-*.msgpack'
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ddfast.commands import _run
from ddfast.commands._files import without_index_files
from ddfast.commands._relocate import local_datasets
from ddfast.errors import DatasetNotFoundError
from ddfast.writer import dataset_files, remove_dataset


def existing(names: list[str]) -> list[Path]:
    """The datasets that names and patterns stand for; also those of which only index files remain."""
    try:
        return local_datasets(names)
    except DatasetNotFoundError:
        paths = [Path(name) for name in names]
        if not all(map(dataset_files, paths)):
            raise
        return paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="datasets: .msgpack files or glob patterns")
    add("-n", "--dry-run", action="store_true", help="print which files would be removed, and remove nothing")


def main(args: argparse.Namespace) -> int:
    """Remove datasets. Returns the exit code."""
    several = _run.Several(args.prog)

    def one(path: Path) -> str:
        files = dataset_files(path)
        remove_dataset(path, args.dry_run)
        return "\n".join(map(str, files)) if args.dry_run else f"{path}: {len(files)} files removed"

    for line in several.each(one, several.expand(without_index_files(args.files), existing)):
        _run.say(line)
    return several.status


def entry() -> None:
    """The console script ``ddfast-rm``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-rm"))


if __name__ == "__main__":
    entry()
