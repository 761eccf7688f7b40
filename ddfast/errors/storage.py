"""Errors of storage: files, object stores and web servers."""

from __future__ import annotations

from ddfast.errors.base import DdfastError
from ddfast.errors.dataset import DatasetChangedError, ReadError

__all__ = [
    "DatasetReplacedError",
    "StorageDeniedError",
    "StorageError",
    "StorageNotFoundError",
    "StorageOptionError",
    "StorageTimeoutError",
]


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
