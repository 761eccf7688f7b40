from .aio import AsyncFileWriter, AsyncRawWriter, AsyncWriter
from .blocking import FileWriter, RawWriter, Writer
from .index_files import write_index, write_sums
from .relocation import copy_dataset, dataset_files, move_dataset, remove_dataset
from .samples import PackedSamples

__all__ = [
    "AsyncFileWriter",
    "AsyncRawWriter",
    "AsyncWriter",
    "FileWriter",
    "PackedSamples",
    "RawWriter",
    "Writer",
    "copy_dataset",
    "dataset_files",
    "move_dataset",
    "remove_dataset",
    "write_index",
    "write_sums",
]
