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
    """What a writer left cannot be gone on with in the way that was asked for."""


class InvalidSampleError(DdfastError, ValueError):
    """A writer was given a sample that cannot be written, or would be read back as something else."""


class MissingKeyError(InvalidSampleError, KeyError):
    """A writer was given a sample without ``"key"``."""


class DuplicateKeyError(InvalidSampleError):
    """A writer, or a reader that is given its samples, was given a key for the second time."""


class UnpackableSampleError(InvalidSampleError, TypeError, OverflowError):
    """A sample was asked for in packed form, and holds a value that has none."""
