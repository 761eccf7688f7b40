"""Errors of writers: samples that cannot be written, and datasets that cannot be made."""

from __future__ import annotations

from ddfast.errors.base import DdfastError

__all__ = [
    "DuplicateKeyError",
    "InvalidSampleError",
    "MissingKeyError",
    "NoTerminalError",
    "ResumeError",
    "UnpackableSampleError",
]


class NoTerminalError(DdfastError, FileExistsError, EOFError):
    """A dataset exists, and there is no terminal to ask whether to overwrite it."""


class ResumeError(DdfastError, ValueError):
    """An unfinished dataset cannot be resumed in the requested way."""


class InvalidSampleError(DdfastError, ValueError):
    """A sample cannot be written, or would be read back as a different value."""


class MissingKeyError(InvalidSampleError, KeyError):
    """A sample has no ``"key"``."""


class DuplicateKeyError(InvalidSampleError):
    """A key was passed twice to a writer, or to a reader of samples in memory."""


class UnpackableSampleError(InvalidSampleError, TypeError, OverflowError):
    """A sample cannot be packed, because it contains a value that msgpack does not support."""
