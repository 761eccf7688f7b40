"""Failures of storage as `StorageError`: what failed, and whether another attempt may succeed (`passing`).

All knowledge about the exceptions of obstore is here as well. It has classes for some failures only. The status of
other answers, and what failed below HTTP, can be read only from the text: "... - Server returned non-2xx status code:
503 Service Unavailable: body" and, after "Debug source:", "kind: Timeout". `tests/storage/test_obstore_errors.py`
provokes each of these and fails when a text changes.
"""

from __future__ import annotations

import datetime
import email.utils
import errno
import re
from typing import Any, NamedTuple

from ddfast._util.secrets import Secrets
from ddfast.errors import (
    DdfastError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageTimeoutError,
)
from ddfast.storage.base import Span, Storage

# Opening the file again often helps after one of these: the server lost the handle, or was restarted.
REOPEN = {errno.ESTALE, errno.EBADF, errno.ENOTCONN}
PASSING = REOPEN | {
    errno.EIO, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.EPIPE,
    errno.EAGAIN, errno.EINTR, errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.ENOBUFS, errno.ESHUTDOWN,
}  # fmt: skip
REQUEST_TIMEOUT, TOO_MANY_REQUESTS, NOT_IMPLEMENTED, UNAVAILABLE, VERSION = 408, 429, 501, 503, 505

# Error texts may quote the whole request.
LONGEST_REASON = 300

# Texts of obstore.
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


def passes(status: int) -> bool:
    """Whether another attempt may succeed after this HTTP status."""
    if status in (NOT_IMPLEMENTED, VERSION):
        return False
    return status in (REQUEST_TIMEOUT, TOO_MANY_REQUESTS) or status >= 500


def where(url: str, span: Span | None) -> str:
    """A URL with a range of bytes of it, for messages."""
    return url if span is None else f"{url} (bytes {span[0]:,} to {span[1]:,})"


def shortened(reason: str) -> str:
    """A reason as one line of bounded length."""
    line = " ".join(reason.split()).rstrip(": ")
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."


def failed(
    url: str, span: Span | None, reason: str, passing: bool, retry_after: float | None = None
) -> StorageError:
    """The error for a read that failed for a reason without an error class of its own."""
    message = f"{where(url, span)} could not be read: {shortened(reason)}"
    return StorageError(message, url=url, span=span, passing=passing, retry_after=retry_after)


def timed_out(url: str, span: Span | None, reason: str) -> StorageTimeoutError:
    """The error for storage that did not answer in time."""
    message = f"{where(url, span)} could not be read in time: {shortened(reason)}"
    return StorageTimeoutError(message, url=url, span=span, passing=True)


def not_found(url: str, span: Span | None, reason: str) -> StorageNotFoundError:
    """The error for a missing object."""
    message = f"{where(url, span)} not found: {shortened(reason)}. Check the name."
    return StorageNotFoundError(message, url=url, span=span)


def denied(url: str, span: Span | None, reason: str) -> StorageDeniedError:
    """The error for an object that the given credentials do not give access to."""
    message = (
        f"access to {where(url, span)} was denied: {shortened(reason)}. Check that the credentials are correct, "
        "have not expired and give access to this object."
    )
    return StorageDeniedError(message, url=url, span=span)


def incomplete(url: str, span: Span, got: int) -> StorageError:
    """The error for an answer that is shorter or longer than the requested range."""
    return failed(url, span, f"received {got:,} bytes instead of {span[1] - span[0]:,}", True)


def beyond_end(url: str, span: Span, size: int) -> StorageError:
    """The error for a range that ends after the end of the object."""
    message = f"{where(url, span)} cannot be read: it has {size:,} bytes"
    return StorageError(message, url=url, span=span)


def of_status(
    status: int, url: str, span: Span | None, reason: str, retry_after: float | None = None
) -> StorageError:
    """The error for an HTTP status other than success."""
    if status in (401, 403):
        return denied(url, span, reason)
    if status in (404, 410):
        return not_found(url, span, reason)
    error = failed(url, span, reason, passes(status), retry_after)
    error.throttled = status in (TOO_MANY_REQUESTS, UNAVAILABLE)
    return error


def of_os_error(error: OSError, url: str, span: Span | None) -> StorageError:
    """The error for a failed system call; a `StorageError` is returned as it is."""
    if isinstance(error, StorageError):
        return error
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return not_found(url, span, reason)
    if isinstance(error, PermissionError):
        return denied(url, span, reason)
    if isinstance(error, TimeoutError):
        return timed_out(url, span, reason)
    return failed(url, span, reason, error.errno in PASSING or isinstance(error, ConnectionError))


def of_any(error: Exception, url: str, span: Span | None, secrets: Secrets) -> StorageError:
    """The error for an exception of any client library, which becomes its cause without the secrets.

    Many have the status of the answer as `status` or `code` and its `headers`; those of boto have them in `response`.
    """
    found = _of_any(error, url, span, secrets.hide(str(error)))
    found.__cause__ = secrets.removed_from(error)
    return found


def _of_any(error: Exception, url: str, span: Span | None, text: str) -> StorageError:
    if isinstance(error, OSError) and error.errno is not None:
        return of_os_error(error, url, span)
    answer: Any = getattr(error, "response", None)
    answer = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
    status = answer.get("HTTPStatusCode") or getattr(error, "status", None) or getattr(error, "code", None)
    headers = answer.get("HTTPHeaders") or getattr(error, "headers", None)
    reason = f"{type(error).__name__}: {text}"
    if isinstance(status, int) or (isinstance(status, str) and status.isdigit()):
        return of_status(int(status), url, span, reason, retry_after(headers))
    if isinstance(error, OSError):
        return of_os_error(error, url, span)
    if "timeout" in type(error).__name__.lower():
        return timed_out(url, span, reason)
    return failed(url, span, reason, "connection" in type(error).__name__.lower())


def retry_after(headers: Any) -> float | None:
    """Seconds that a server asks to wait, from the headers of its answer: a number or a date (RFC 9110, 10.2.3)."""
    get = getattr(headers, "get", None)
    value = (get("Retry-After") or get("retry-after")) if get is not None else None
    if not isinstance(value, str):
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then - datetime.datetime.now(datetime.timezone.utc)).total_seconds())


# -- exceptions of obstore


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
    """The error for a read that failed with an exception of obstore, from which secrets are removed."""
    from obstore import exceptions

    storage._secrets.removed_from(error)
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


def unwritten(error: Exception, name: str, secrets: Secrets, action: str = "written") -> StorageError:
    """The error for an object that could not be written or removed, with the part and the number of attempts.

    The exception becomes its cause, without the secrets.

    Parameters:
        error: an exception of obstore, or of any other client library.
        name: the object, for messages.
        secrets: of its URL and options.
        action: what could not be done, as a participle.
    """
    failure = _unwritten(error, name, action, secrets)
    failure.__cause__ = secrets.removed_from(error)
    return failure


def _unwritten(error: Exception, name: str, action: str, secrets: Secrets) -> StorageError:
    text = parsed(error)
    reason = shortened(secrets.hide(text.reason) or type(error).__name__)
    if isinstance(error, PermissionError) or text.status in (401, 403):
        return denied(name, None, reason)
    what = name if text.part is None else f"part {text.part} of {name}"
    often = f" after {text.attempts} attempts" if text.attempts > 1 else ""
    kind = StorageNotFoundError if isinstance(error, FileNotFoundError) else StorageError
    return kind(
        f"{what} could not be {action}{often}: {reason}",
        url=name,
        attempts=text.attempts,
        passing=text.passing or _of_any(error, name, None, reason).passing,
    )
