"""Failures of storage as `StorageError`: what failed, and whether another attempt may succeed.

`StorageError.passing` means that another attempt may succeed.
"""

from __future__ import annotations

import datetime
import email.utils
import errno
import re
from typing import Any

from ddfast.errors import StorageDeniedError, StorageError, StorageNotFoundError, StorageTimeoutError
from ddfast.storage.base import Span

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


def passes(status: int) -> bool:
    """Whether another attempt may succeed after this HTTP status."""
    if status in (NOT_IMPLEMENTED, VERSION):
        return False
    return status in (REQUEST_TIMEOUT, TOO_MANY_REQUESTS) or status >= 500


def where(url: str, span: Span | None) -> str:
    """A URL with a range of bytes of it, for messages."""
    return url if span is None else f"{url} (bytes {span[0]:,} to {span[1]:,})"


def shortened(reason: str) -> str:
    """A reason as one line of bounded length, without the queries of URLs, which may hold signatures."""
    line = " ".join(reason.split()).rstrip(": ")
    line = re.sub(r"(https?://[^\s?]*)\?[^\s,)]*", r"\1?...", line)
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


def of_any(error: Exception, url: str, span: Span | None) -> StorageError:
    """The error for an exception of any client library.

    Many have the status of the answer as `status` or `code` and its `headers`; those of boto have them in `response`.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return of_os_error(error, url, span)
    answer: Any = getattr(error, "response", None)
    answer = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
    status = answer.get("HTTPStatusCode") or getattr(error, "status", None) or getattr(error, "code", None)
    headers = answer.get("HTTPHeaders") or getattr(error, "headers", None)
    reason = f"{type(error).__name__}: {error}"
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
