"""The error of archives, in a separate module because it needs `zipfile`, whose import takes time."""

from __future__ import annotations

from zipfile import BadZipFile

from ddfast.errors.dataset import CorruptSampleError

__all__ = ["CorruptArchiveError"]


class CorruptArchiveError(CorruptSampleError, BadZipFile):
    """An archive, or one of its members, is damaged."""
