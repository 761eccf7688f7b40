"""Readers of datasets, and augments of readers."""

from ddfast.reader.abc import Reader
from ddfast.reader.augment import Augment, Cycler, QuasiShuffler, Range, Repeater, Shuffler
from ddfast.reader.directory import DirectoryReader
from ddfast.reader.list import ListReader
from ddfast.reader.msgpack import MsgpackReader
from ddfast.reader.sharded import ShardedReader
from ddfast.reader.zipfile import ZipFileReader

__all__ = [
    "Augment",
    "Cycler",
    "DirectoryReader",
    "ListReader",
    "MsgpackReader",
    "QuasiShuffler",
    "Range",
    "Reader",
    "Repeater",
    "ShardedReader",
    "Shuffler",
    "ZipFileReader",
]
