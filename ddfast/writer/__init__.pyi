from .aio import AsyncFileWriter, AsyncRawWriter, AsyncWriter
from .blocking import FileWriter, RawWriter, Writer
from .index_files import write_index, write_sums
from .samples import PackedSamples

__all__ = [
    "AsyncFileWriter",
    "AsyncRawWriter",
    "AsyncWriter",
    "FileWriter",
    "PackedSamples",
    "RawWriter",
    "Writer",
    "write_index",
    "write_sums",
]
