from .abc import Writer
from .aio import AsyncFileWriter, AsyncRawWriter, AsyncWriter
from .file import FileWriter
from .indexing import write_index
from .raw import RawWriter

__all__ = [
    "AsyncFileWriter",
    "AsyncRawWriter",
    "AsyncWriter",
    "FileWriter",
    "RawWriter",
    "Writer",
    "write_index",
]
