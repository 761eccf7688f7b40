"""Errors of what samples are made of: lists of files, labels, archives' members, images, downloads, transforms."""

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


class BackgroundError(DdfastError, RuntimeError):
    """A generator in another thread or process failed in a way that left no exception to pass on."""


class TransformError(DdfastError, ValueError, TypeError):
    """A transform is nothing that can be called with a value."""


class MissingParameterError(DdfastError, KeyError):
    """A transform requires a parameter that no ``rng`` gives."""


class MissingFieldError(DdfastError, KeyError):
    """A transform is meant for a field that a sample does not have."""


class ImageError(DdfastError, OSError):
    """The bytes of an image cannot be decoded."""
