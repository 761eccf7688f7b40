"""Rename datasets, or move them to another folder, with all of their files.

A dataset is a data file and the files next to it that begin with its name: train.msgpack.offsets,
.keys, .key_hashes, .filter, .md5 and .xxh3 (.index in older datasets). The command renames all of
them, and writes the new name into the .md5 file, so `ddfast verify` finds the dataset intact. `mv`
renames files one by one: a reader may then combine the data file of one dataset with the offsets of
another.

Readers of a dataset that is overwritten find the old one, the new one, or for a moment none. The
command asks before it overwrites a dataset, unless -y is given. To another disk, it copies the files
and then removes the old ones. After an interruption the dataset may have both names: remove one with
`ddfast rm`. The exit status is 0 if everything was moved and 1 otherwise.

Examples:
  ddfast mv train.new.msgpack train.msgpack -y
  ddfast mv 'shards/train-*.msgpack' /archive/
"""

from __future__ import annotations

import argparse
import sys

from ddfast.commands import _run
from ddfast.commands._relocate import add_arguments, relocate
from ddfast.writer import move_dataset

__all__ = ["add_arguments", "entry", "main"]


def main(args: argparse.Namespace) -> int:
    """Move datasets. Returns the exit code."""
    return relocate(args, move_dataset)


def entry() -> None:
    """The console script ``ddfast-mv``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-mv"))


if __name__ == "__main__":
    entry()
