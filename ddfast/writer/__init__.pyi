from .abc import Writer
from .aio import AsyncFileWriter, AsyncRawWriter, AsyncWriter
from .book import Piece
from .draft import write_index, write_sums
from .file import FileWriter
from .leftover import Leftover, discard_leftover, find_leftover, finish_leftover
from .raw import RawWriter
from .salvage import Lost, Salvage

__all__ = [
    "AsyncFileWriter",
    "AsyncRawWriter",
    "AsyncWriter",
    "FileWriter",
    "Leftover",
    "Lost",
    "Piece",
    "RawWriter",
    "Salvage",
    "Writer",
    "discard_leftover",
    "find_leftover",
    "finish_leftover",
    "write_index",
    "write_sums",
]
