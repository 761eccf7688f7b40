"""Exceptions of obstore as `StorageError`. All knowledge about their classes and texts is in this module.

obstore has a class for some failures only. The status of other answers, and what failed below HTTP, can be read only
from the text: "... - Server returned non-2xx status code: 503 Service Unavailable: body" and, after "Debug source:",
"kind: Timeout". `tests/storage/test_obstore_errors.py` provokes each of these and fails when a text changes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ddfast.errors import DdfastError, StorageError, StorageNotFoundError
from ddfast.storage.backends.failures import (
    denied,
    failed,
    not_found,
    of_any,
    of_status,
    passes,
    shortened,
    timed_out,
)
from ddfast.storage.base import Span, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "explained",
    "is_condition_failed",
    "is_condition_unknown",
    "is_failure",
    "may_be_cut",
    "needs_get",
    "unwritten",
]

DETAILS = "\n\nDebug source:"
STATUS = re.compile(r"Server returned non-2xx status code: (\d{3})")
KIND = re.compile(r"kind: (Timeout|Interrupted|Connect|Request|Decode)\b")
TIMEOUT = "kind: Timeout"
# S3 answers expired credentials with status 400.
EXPIRED = re.compile(r"<Code>(ExpiredToken|TokenRefreshRequired|InvalidToken)</Code>")
# The range of the answer is not the requested one: the object may have become shorter.
WRONG_RANGE = re.compile(r"Requested \d+\.\.\d+, got |Wanted range starting at \d+, but ")
# The URL of a request to S3 has the number of the part.
PART_NUMBER = re.compile(r"[?&]partNumber=(\d+)")
RETRIES = re.compile(r", after (\d+) retries")

RANGE_NOT_SATISFIABLE = 416
NO_SUCH_METHOD = (405, 501)
# Statuses of S3 servers that do not support the header If-None-Match.
CONDITION_UNKNOWN = (400, 501)

NO_RANGES = (
    "the server returns whole objects only, no ranges of bytes, as `python -m http.server` does. Copy the dataset to "
    "a disk, or use a server that supports ranges, such as nginx"
)


class ErrorText(NamedTuple):
    """What the text of an exception says.

    Attributes:
        reason: the text without the details for debugging.
        status: the HTTP status of the answer; None if there was no answer.
        passing: whether another attempt may succeed.
        timed_out: whether the request took too long.
        is_expired: whether the credentials have expired.
        is_wrong_range: whether the answer has another range than the requested one.
        part: number of the part of an upload; None if unknown.
        attempts: how often obstore sent the request.
    """

    reason: str
    status: int | None
    passing: bool
    timed_out: bool
    is_expired: bool
    is_wrong_range: bool
    part: int | None
    attempts: int


def parsed(error: Exception) -> ErrorText:
    """What the text of an exception of obstore says."""
    text = str(error)
    reason, _, details = text.partition(DETAILS)
    status, part, retries = STATUS.search(text), PART_NUMBER.search(reason), RETRIES.search(reason)
    is_wrong_range = WRONG_RANGE.search(text) is not None
    return ErrorText(
        reason,
        status=int(status[1]) if status else None,
        passing=passes(int(status[1])) if status else is_wrong_range or KIND.search(text) is not None,
        timed_out=TIMEOUT in details,
        is_expired=EXPIRED.search(reason) is not None,
        is_wrong_range=is_wrong_range,
        part=int(part[1]) if part else None,
        attempts=int(retries[1]) + 1 if retries else 1,
    )


def is_failure(error: Exception) -> bool:
    """Whether an exception came from obstore, and is neither a `StorageError` already nor a mistake in the program."""
    from obstore.exceptions import BaseError

    return isinstance(error, BaseError | OSError | ValueError) and not isinstance(error, DdfastError)


def may_be_cut(error: Exception) -> bool:
    """Whether the reason may be that the object ends before the end of the requested range."""
    text = parsed(error)
    return text.status == RANGE_NOT_SATISFIABLE or text.is_wrong_range


def needs_get(error: Exception) -> bool:
    """Whether a HEAD request failed where a GET request may succeed, such as with a URL signed for GET only."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    is_denied = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    return is_denied or parsed(error).status in NO_SUCH_METHOD


def is_condition_failed(error: BaseException | None) -> bool:
    """Whether a new object was not written because one of its name exists."""
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    return isinstance(error, AlreadyExistsError | PreconditionError)


def is_condition_unknown(error: BaseException | None) -> bool:
    """Whether the store does not support ``If-None-Match``."""
    from obstore.exceptions import NotSupportedError

    if isinstance(error, NotSupportedError | NotImplementedError):
        return True
    return isinstance(error, Exception) and parsed(error).status in CONDITION_UNKNOWN


def explained(error: Exception, storage: Storage, span: Span | None) -> StorageError:
    """The error for a read that failed with an exception of obstore."""
    from obstore import exceptions

    text, url = parsed(error), storage.name
    if isinstance(error, exceptions.PreconditionError | exceptions.NotModifiedError):
        return storage.replaced("another version", span)
    is_denied = isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError)
    if is_denied or text.is_expired:
        return denied(url, span, text.reason)
    if isinstance(error, FileNotFoundError):
        return not_found(url, span, text.reason)
    if isinstance(error, exceptions.NotSupportedError) and span is not None:
        return failed(url, span, NO_RANGES, False)
    if text.status is not None:
        return of_status(text.status, url, span, text.reason)
    if text.timed_out:
        return timed_out(url, span, text.reason)
    return failed(url, span, text.reason, text.passing)


def unwritten(error: Exception, name: str, action: str = "written") -> StorageError:
    """The error for an object that could not be written or removed, with the part and the number of attempts.

    Parameters:
        error: an exception of obstore, or of any other client library.
        name: the object, for messages.
        action: what could not be done, as a participle.
    """
    text = parsed(error)
    reason = shortened(text.reason or type(error).__name__)
    if isinstance(error, PermissionError) or text.status in (401, 403):
        return denied(name, None, reason)
    what = name if text.part is None else f"part {text.part} of {name}"
    often = f" after {text.attempts} attempts" if text.attempts > 1 else ""
    kind: Callable[..., StorageError] = (
        StorageNotFoundError if isinstance(error, FileNotFoundError) else StorageError
    )
    return kind(
        f"{what} could not be {action}{often}: {reason}",
        url=name,
        attempts=text.attempts,
        passing=text.passing or of_any(error, name, None).passing,
    )
