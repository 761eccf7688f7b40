"""Errors of datasets and their samples: missing, damaged, replaced, asked for by a wrong index or key."""

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
    "IndexFileError",
    "PickleRefusedError",
    "ReadError",
    "SampleFileNotFoundError",
    "SampleIndexError",
    "SampleKeyError",
    "TooManyFieldsError",
    "UnevenBatchesError",
    "UnfinishedDatasetError",
    "UnsupportedIOError",
]


class DatasetNotFoundError(DdfastError, FileNotFoundError):
    """The data file, or every file that could serve as its index, is missing."""


class IndexFileError(DdfastError, ValueError):
    """An index file is damaged or belongs to another data file."""


class ChecksumsNotFoundError(DdfastError, FileNotFoundError):
    """Samples are to be verified, and the file of their checksums is missing."""


class CorruptSampleError(DdfastError, ValueError):
    """A sample's bytes are no well-formed msgpack message, lack their checksum, or hold a value that cannot be."""


class CorruptSpanError(IndexFileError, CorruptSampleError):
    """The index is damaged in the place of one sample: its offsets are no range of bytes of the data file."""


class TooManyFieldsError(DdfastError, ValueError):
    """The samples of a batch have more different field names than a batch may have columns."""


class PickleRefusedError(DdfastError, ValueError):
    """A sample holds a pickled array, and the reader was not opened with ``allow_pickle=True``."""


class SampleIndexError(DdfastError, IndexError):
    """A sample index lies outside the dataset."""


class SampleKeyError(DdfastError, KeyError):
    """No sample has this key."""


class ColumnNameError(DdfastError, KeyError):
    """No sample of a batch has a field of this name, or it was left out when columns were selected."""


class ReadError(DdfastError, OSError):
    """The data file could not be read where the index says that a sample is."""


class DatasetChangedError(ReadError):
    """The data file was cut or rewritten in place while it was open."""


class SampleFileNotFoundError(ReadError, FileNotFoundError):
    """The file that a sample is made of is gone, or was never there."""


class UnsupportedIOError(DdfastError, OSError):
    """A reader was asked to read in a way that this system does not offer to the program."""


class ClosedError(DdfastError, ValueError):
    """A reader, a stream or a writer was used after it was closed."""


class UnfinishedDatasetError(DdfastError, OSError):
    """The writer of a dataset died while its files took their names, and nobody has finished that yet."""


class DatasetBusyError(DdfastError, BlockingIOError):
    """Another writer is at work on the same dataset."""


class ChecksumError(DdfastError, ValueError):
    """A file has not the MD5 digest that it should have.

    Attributes:
        path: the file.
        expected: the digest that it should have, in hexadecimal digits.
        got: the digest that it has.
    """

    def __init__(self, path: str, expected: str, got: str, advice: str) -> None:
        super().__init__(
            f"{path} has not the MD5 that it should have: expected {expected}, got {got}. {advice}"
        )
        self.path = path
        self.expected = expected
        self.got = got
        self.advice = advice

    def __reduce__(self) -> tuple[type[ChecksumError], tuple[str, str, str, str]]:
        return type(self), (self.path, self.expected, self.got, self.advice)


class UnevenBatchesError(DdfastError, RuntimeError):
    """Some processes would deliver a batch more than others, which makes them wait for each other for ever."""
