"""Writers of datasets."""

from ddfast.writer.abc import Writer
from ddfast.writer.aio import AsyncFileWriter, AsyncRawWriter, AsyncWriter
from ddfast.writer.file import FileWriter
from ddfast.writer.indexing import write_index
from ddfast.writer.raw import RawWriter

__all__ = [
    "AsyncFileWriter",
    "AsyncRawWriter",
    "AsyncWriter",
    "FileWriter",
    "RawWriter",
    "Writer",
    "write_index",
]
