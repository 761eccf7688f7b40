"""The error of archives; `ddfast.errors` hands it on."""

from __future__ import annotations

from zipfile import BadZipFile

from ddfast.errors import CorruptSampleError

__all__ = ["CorruptArchiveError"]


class CorruptArchiveError(CorruptSampleError, BadZipFile):
    """An archive, or one of its members, is damaged."""


CorruptArchiveError.__module__ = "ddfast.errors"
