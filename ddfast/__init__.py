"""Read and write datadings datasets at the speed of the hardware, sync and async."""

from ddfast.aio import AsyncReader
from ddfast.batch import Batch
from ddfast.reader import MsgpackReader, Reader
from ddfast.writer import AsyncFileWriter, FileWriter, RawWriter

__all__ = ["AsyncFileWriter", "AsyncReader", "Batch", "FileWriter", "MsgpackReader", "RawWriter", "Reader"]
