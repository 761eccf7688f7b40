from .abc import Writer
from .aio import AsyncFileWriter, AsyncRawWriter, AsyncWriter
from .draft import write_index
from .file import FileWriter
from .leftover import Leftover, discard_leftover, find_leftover, finish_leftover
from .raw import RawWriter

__all__ = [
    "AsyncFileWriter",
    "AsyncRawWriter",
    "AsyncWriter",
    "FileWriter",
    "Leftover",
    "RawWriter",
    "Writer",
    "discard_leftover",
    "find_leftover",
    "finish_leftover",
    "write_index",
]
