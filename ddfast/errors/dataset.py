"""Errors of datasets and their samples: missing or damaged files, replaced files, wrong indices and keys."""

from __future__ import annotations

from ddfast.errors.base import DdfastError

__all__ = [
    "ChecksumError",
    "ChecksumsNotFoundError",
    "ClosedError",
    "ColumnNameError",
    "CorruptSampleError",
    "CorruptSpanError",
    "DatasetBusyError",
    "DatasetChangedError",
    "DatasetNotFoundError",
    "EventLoopError",
    "IndexFileError",
    "PickleRefusedError",
    "ReadError",
    "SampleFileNotFoundError",
    "SampleIndexError",
    "SampleKeyError",
    "SharedPositionError",
    "TooManyFieldsError",
    "UnevenBatchesError",
    "UnfinishedDatasetError",
    "UnsupportedIOError",
]


class DatasetNotFoundError(DdfastError, FileNotFoundError):
    """The data file is missing, or all files that can be its index."""


class IndexFileError(DdfastError, ValueError):
    """An index file is damaged or belongs to another data file."""


class ChecksumsNotFoundError(DdfastError, FileNotFoundError):
    """The checksums file that is needed to verify samples is missing."""


class CorruptSampleError(DdfastError, ValueError):
    """A sample is not a well-formed msgpack message, does not match its checksum, or contains an invalid value."""


class CorruptSpanError(IndexFileError, CorruptSampleError):
    """The index entry of one sample is damaged: its offsets are not a valid range of bytes of the data file."""


class TooManyFieldsError(DdfastError, ValueError):
    """The samples of a batch have more different field names than the maximum number of columns."""


class PickleRefusedError(DdfastError, ValueError):
    """A sample contains a pickled array, and the reader was opened without ``allow_pickle=True``."""


class SampleIndexError(DdfastError, IndexError):
    """A sample index is out of range."""


class SampleKeyError(DdfastError, KeyError):
    """No sample has this key."""


class ColumnNameError(DdfastError, KeyError):
    """No sample of a batch has a field of this name, or the field is not among the selected columns."""


class ReadError(DdfastError, OSError):
    """A sample could not be read from the data file."""


class DatasetChangedError(ReadError):
    """The data file was truncated or rewritten in place while it was open."""


class SampleFileNotFoundError(ReadError, FileNotFoundError):
    """The file of a sample does not exist."""


class UnsupportedIOError(DdfastError, OSError):
    """The system does not support an operation, or a way of reading that was requested."""


class ClosedError(DdfastError, ValueError):
    """A reader, a stream or a writer was used after it was closed."""


class EventLoopError(DdfastError, RuntimeError):
    """An asynchronous reader or writer is used without an event loop of asyncio."""


class SharedPositionError(DdfastError, RuntimeError):
    """Two threads use the position of one reader, of one augment, or of one iterator over batches."""


class UnfinishedDatasetError(DdfastError, OSError):
    """The writer of a dataset died while it renamed the files, and the renames were not finished yet."""


class DatasetBusyError(DdfastError, BlockingIOError):
    """Another writer is writing the same dataset."""


class ChecksumError(DdfastError, ValueError):
    """A file does not have the expected MD5 digest.

    Attributes:
        path: the file.
        expected: the expected digest in hexadecimal digits.
        got: the digest of the file.
        advice: what to do.
    """

    def __init__(self, path: str, expected: str, got: str, advice: str) -> None:
        super().__init__(f"MD5 mismatch in {path}: expected {expected}, got {got}. {advice}")
        self.path = path
        self.expected = expected
        self.got = got
        self.advice = advice

    def __reduce__(self) -> tuple[type[ChecksumError], tuple[str, str, str, str]]:
        return type(self), (self.path, self.expected, self.got, self.advice)


class UnevenBatchesError(DdfastError, RuntimeError):
    """Some processes would deliver more batches than others, and wait for the others for ever."""
