from ._util.version import __version__
from .aio import AsyncReader
from .batch import Batch
from .reader import MsgpackReader, Reader
from .writer import AsyncFileWriter, FileWriter, RawWriter

__all__ = [
    "AsyncFileWriter",
    "AsyncReader",
    "Batch",
    "FileWriter",
    "MsgpackReader",
    "RawWriter",
    "Reader",
    "__version__",
]
