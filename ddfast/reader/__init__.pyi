from .abc import Reader
from .augment import Augment, Cycler, QuasiShuffler, Range, Repeater, Shuffler
from .directory import DirectoryReader
from .list import ListReader
from .msgpack import MsgpackReader
from .sharded import ShardedReader
from .zipfile import ZipFileReader

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
