"""Errors of sources of samples: lists of files, labels, archive members, images, JSON files, downloads, transforms."""

from __future__ import annotations

from ddfast.errors.base import DdfastError
from ddfast.errors.dataset import SampleKeyError

__all__ = [
    "BackgroundError",
    "CallbackError",
    "DownloadError",
    "EncryptedMemberError",
    "EscapingPathError",
    "ImageError",
    "JSONFormatError",
    "MemberNotFoundError",
    "MissingFieldError",
    "MissingLabelError",
    "MissingPackageError",
    "MissingParameterError",
    "TextFileError",
    "TransformError",
    "UnknownLabelError",
    "UnsupportedCompressionError",
]


class JSONFormatError(DdfastError, ValueError):
    """A file is not JSON, is truncated, or does not contain what its reader expects.

    Attributes:
        reason: what is wrong, without the place.
        line: line, from 1.
        column: column in characters, from 1.
        position: position in bytes, from 0.
        array: name of the array of records that contains the place, ``""`` for the document itself; or None.
        record: number of the record in that array, from 0; or None.
        file: name of the file, or None.
    """

    def __init__(
        self,
        reason: str,
        line: int,
        column: int,
        position: int,
        array: str | None = None,
        record: int | None = None,
        file: str | None = None,
    ) -> None:
        within = "" if array is None else f", record {record:,}" + (f" of {array!r}" if array else "")
        start = "" if file is None else f"{file}: "
        super().__init__(f"{start}line {line:,}, column {column:,} (byte {position:,}){within}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column
        self.position = position
        self.array = array
        self.record = record
        self.file = file

    def __reduce__(self) -> tuple[type[JSONFormatError], tuple[object, ...]]:
        parts = (self.reason, self.line, self.column, self.position, self.array, self.record, self.file)
        return type(self), parts


class TextFileError(DdfastError, ValueError):
    """A list of files or labels is not UTF-8 text, or a list of samples is invalid."""


class EscapingPathError(DdfastError, ValueError):
    """A list of files, or a symbolic link, names a file outside of ``root_dir``."""


class MissingLabelError(DdfastError, ValueError):
    """Labels cannot be sorted because one of them is None."""


class UnknownLabelError(DdfastError, KeyError):
    """The label of a sample is not in the reader's list of labels."""


class EncryptedMemberError(DdfastError, RuntimeError):
    """A member of an archive is encrypted."""


class UnsupportedCompressionError(DdfastError, NotImplementedError):
    """A member of an archive is compressed with an unsupported method."""


class MemberNotFoundError(SampleKeyError):
    """An archive has no member of this name."""


class MissingPackageError(DdfastError, ImportError):
    """A feature needs a package that is not installed."""


class DownloadError(DdfastError, OSError):
    """A file could not be downloaded."""


class BackgroundError(DdfastError, RuntimeError):
    """A generator in another thread or process failed without an exception that can be passed on."""


class CallbackError(DdfastError, RuntimeError):
    """A function of the program, such as ``on_error``, would end a loop early, or calls itself without end."""


class TransformError(DdfastError, ValueError, TypeError):
    """A transform cannot be called with a value."""


class MissingParameterError(DdfastError, KeyError):
    """A transform requires a parameter that ``rng`` does not return."""


class MissingFieldError(DdfastError, KeyError):
    """A sample lacks the field of a transform."""


class ImageError(DdfastError, OSError):
    """The bytes of an image cannot be decoded."""
