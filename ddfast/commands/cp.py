"""Copy datasets with all of their files.

A dataset is a data file and the files next to it that begin with its name: train.msgpack.offsets,
.keys, .key_hashes, .filter, .md5 and .xxh3 (.index in older datasets). The command copies all of
them, and writes the new name into the .md5 file, so `ddfast verify` finds the copy intact. `cp` and
`rsync` copy files one by one: a reader may then combine the data file of one dataset with the
offsets of another.

The copy appears when it is complete. Readers of a dataset that is overwritten find the old one, the
new one, or for a moment none. The command asks before it overwrites a dataset, unless -y is given.
The exit status is 0 if everything was copied and 1 otherwise.

Examples:
  ddfast cp train.msgpack /fast/disk/
  ddfast cp 'shards/train-*.msgpack' backup/
"""

from __future__ import annotations

import argparse
import sys

from ddfast.commands import _run
from ddfast.commands._relocate import add_arguments, relocate
from ddfast.writer import copy_dataset

__all__ = ["add_arguments", "entry", "main"]


def main(args: argparse.Namespace) -> int:
    """Copy datasets. Returns the exit code."""
    return relocate(args, copy_dataset)


def entry() -> None:
    """The console script ``ddfast-cp``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-cp"))


if __name__ == "__main__":
    entry()
