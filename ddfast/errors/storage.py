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
    """Reading from or writing to storage failed.

    Attributes:
        url: URL of the object, without passwords and query.
        span: the requested bytes ``(start, stop)``, or None.
        attempts: number of attempts.
        passing: whether the failure is temporary, so that another attempt may succeed.
        retry_after: seconds that the server asks to wait before another attempt, or None.
        throttled: whether the server refused because of too many requests (429, 503).
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
    """Storage did not answer within the reader's timeout."""


class StorageNotFoundError(StorageError, FileNotFoundError):
    """The object, or its bucket, does not exist."""


class StorageDeniedError(StorageError, PermissionError):
    """The storage refuses access with the given credentials."""


class DatasetReplacedError(StorageError, DatasetChangedError):
    """An object was replaced after it was first read."""


class StorageOptionError(DdfastError, ValueError, TypeError):
    """A storage option does not exist, or has an invalid value."""
