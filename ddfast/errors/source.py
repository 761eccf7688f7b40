"""Errors of sources of samples: lists of files, labels, archive members, images, downloads, transforms."""

from __future__ import annotations

from ddfast.errors.base import DdfastError
from ddfast.errors.dataset import SampleKeyError

__all__ = [
    "BackgroundError",
    "DownloadError",
    "EncryptedMemberError",
    "EscapingPathError",
    "ImageError",
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


class TransformError(DdfastError, ValueError, TypeError):
    """A transform cannot be called with a value."""


class MissingParameterError(DdfastError, KeyError):
    """A transform requires a parameter that ``rng`` does not return."""


class MissingFieldError(DdfastError, KeyError):
    """A sample lacks the field of a transform."""


class ImageError(DdfastError, OSError):
    """The bytes of an image cannot be decoded."""
