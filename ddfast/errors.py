"""The errors ddfast raises: each is a `DdfastError` and also the builtin that a caller would catch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddfast.archive_error import CorruptArchiveError as CorruptArchiveError  # noqa: PLC0414  # handed on


class DdfastError(Exception):
    """Base of all errors that ddfast raises by itself."""

    def __str__(self) -> str:
        # KeyError would print the repr of its message.
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


class KernelError(DdfastError, ValueError):
    """A native kernel refused its input; readers turn this into an error that names file and sample.

    Attributes:
        code: status of the kernel, one of the DDF_E_* values of csrc/ddf_common.h.
        reason: what is wrong, without saying where.
        item: which input of a bulk call, from 0.
        pos: byte position inside that input.
    """

    def __init__(self, code: int, reason: str, item: int = 0, pos: int = 0) -> None:
        super().__init__(f"{reason} (input {item}, byte {pos})")
        self.code = code
        self.reason = reason
        self.item = item
        self.pos = pos

    def __reduce__(self) -> tuple[type[KernelError], tuple[int, str, int, int]]:
        return type(self), (self.code, self.reason, self.item, self.pos)


class DatasetNotFoundError(DdfastError, FileNotFoundError):
    """The data file, or every file that could serve as its index, is missing."""


class NobodyAnswersError(DdfastError, FileExistsError, EOFError):
    """A dataset exists, and there is no terminal where a user could say whether to overwrite it."""


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


class StorageError(ReadError):
    """Storage could not be read from or written to.

    Attributes:
        url: the object, as it may be shown: without passwords and query.
        span: the bytes ``(start, stop)`` that were wanted, or None.
        attempts: how often it was tried.
        passing: whether another attempt may help.
        retry_after: seconds that the server asks to wait before another attempt, or None.
        throttled: whether the server refused because it is asked for too much (429, 503).
    """

    def __init__(
        self,
        message: str,
        *,
        url: str = "",
        span: tuple[int, int] | None = None,
        attempts: int = 1,
        passing: bool = False,
        retry_after: float | None = None,
        throttled: bool = False,
    ) -> None:
        super().__init__(message)
        self.url = url
        self.span = span
        self.attempts = attempts
        self.passing = passing
        self.retry_after = retry_after
        self.throttled = throttled

    def __reduce__(self) -> tuple[type[StorageError], tuple[str], dict[str, object]]:
        return type(self), (str(self),), dict(self.__dict__)


class StorageTimeoutError(StorageError, TimeoutError):
    """Storage has not answered for as long as the reader was told to wait."""


class StorageNotFoundError(StorageError, FileNotFoundError):
    """There is no object of this name."""


class StorageDeniedError(StorageError, PermissionError):
    """The storage refuses what was asked for to whoever asked."""


class DatasetReplacedError(StorageError, DatasetChangedError):
    """An object is another than it was when it was first looked at."""


class StorageOptionError(DdfastError, ValueError, TypeError):
    """A storage was given an option that it does not have, or a value that makes no sense."""


class SampleFileNotFoundError(ReadError, FileNotFoundError):
    """The file that a sample is made of is gone, or was never there."""


class UnsupportedIOError(DdfastError, OSError):
    """A reader was asked to read in a way that this system does not offer to the program."""


class DatasetBusyError(DdfastError, BlockingIOError):
    """Another writer is at work on the same dataset."""


class UnfinishedDatasetError(DdfastError, OSError):
    """The writer of a dataset died while its files took their names, and nobody has finished that yet."""


class ResumeError(DdfastError, ValueError):
    """What a writer left cannot be gone on with in the way that was asked for."""


class ClosedError(DdfastError, ValueError):
    """A reader, a stream or a writer was used after it was closed."""


class InvalidSampleError(DdfastError, ValueError):
    """A writer was given a sample that cannot be written, or would be read back as something else."""


class MissingKeyError(InvalidSampleError, KeyError):
    """A writer was given a sample without ``"key"``."""


class DuplicateKeyError(InvalidSampleError):
    """A writer, or a reader that is given its samples, was given a key for the second time."""


class UnpackableSampleError(InvalidSampleError, TypeError, OverflowError):
    """A sample was asked for in packed form, and holds a value that has none."""


class TextFileError(DdfastError, ValueError):
    """A list of files or of labels is not UTF-8 text, or a list of samples not what it should be."""


class EscapingPathError(DdfastError, ValueError):
    """A list of files names a file outside of the folder that its paths are relative to."""


class MissingLabelError(DdfastError, ValueError):
    """Labels are to be sorted, and None is among them."""


class UnknownLabelError(DdfastError, KeyError):
    """A sample's label is not among the labels that the reader was given."""


class EncryptedMemberError(DdfastError, RuntimeError):
    """A member of an archive is encrypted."""


class UnsupportedCompressionError(DdfastError, NotImplementedError):
    """A member of an archive is compressed in a way that cannot be undone here."""


class MemberNotFoundError(SampleKeyError):
    """An archive has no member of this name."""


class MissingPackageError(DdfastError, ImportError):
    """Something was asked for that needs a package which is not installed."""


class DownloadError(DdfastError, OSError):
    """A file could not be downloaded."""


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


class BackgroundError(DdfastError, RuntimeError):
    """A generator in another thread or process failed in a way that left no exception to pass on."""


class TransformError(DdfastError, ValueError, TypeError):
    """A transform is nothing that can be called with a value."""


class MissingParameterError(DdfastError, KeyError):
    """A transform requires a parameter that no ``rng`` gives."""


class MissingFieldError(DdfastError, KeyError):
    """A transform is meant for a field that a sample does not have."""


class UnevenBatchesError(DdfastError, RuntimeError):
    """Some processes would deliver a batch more than others, which makes them wait for each other for ever."""


class ImageError(DdfastError, OSError):
    """The bytes of an image cannot be decoded."""


def __getattr__(name: str) -> Any:
    if name == "CorruptArchiveError":  # a child of zipfile's error, without importing zipfile for all others
        from ddfast.archive_error import CorruptArchiveError

        return CorruptArchiveError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
