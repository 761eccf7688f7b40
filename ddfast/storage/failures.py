"""Failures of any storage as `StorageError`: what they are, and whether another attempt may help."""

from __future__ import annotations

import datetime
import email.utils
import errno
import re
from typing import Any

from ddfast.errors import (
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageTimeoutError,
)

Span = tuple[int, int]

# A file that is opened again after one of these is often there: the server forgot it, or was away.
REOPEN = {errno.ESTALE, errno.EBADF, errno.ENOTCONN}
PASSING = REOPEN | {
    errno.EIO, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.EPIPE,
    errno.EAGAIN, errno.EINTR, errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.ENOBUFS, errno.ESHUTDOWN,
}  # fmt: skip
TOO_MANY, REQUEST_TIMEOUT = 429, 408

# Answers may quote the whole request.
LONGEST_REASON = 300


def passes(status: int) -> bool:
    """Whether an HTTP status may be another at the next attempt. Of a server that cannot do something it may not."""
    return status in (REQUEST_TIMEOUT, TOO_MANY) or (status >= 500 and status not in (501, 505))


def where(url: str, span: Span | None) -> str:
    """A URL and the bytes of it that are meant."""
    return url if span is None else f"{url} (bytes {span[0]:,} to {span[1]:,})"


def cut(reason: str) -> str:
    """A reason as one line that is not too long, without what signs a request."""
    line = " ".join(reason.split())
    line = re.sub(r"(https?://[^\s?]*)\?[^\s,)]*", r"\1?...", line)
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."


def failed(
    url: str, span: Span | None, reason: str, passing: bool, retry_after: float | None = None
) -> StorageError:
    """The error for a read that failed for a reason without a class of its own."""
    return StorageError(
        f"{where(url, span)} could not be read: {cut(reason)}",
        url=url,
        span=span,
        passing=passing,
        retry_after=retry_after,
    )


def timed_out(url: str, span: Span | None, reason: str) -> StorageTimeoutError:
    """The error for a storage that did not answer in time."""
    return StorageTimeoutError(
        f"{where(url, span)} could not be read in time: {cut(reason)}", url=url, span=span, passing=True
    )


def not_found(url: str, span: Span | None, reason: str) -> StorageNotFoundError:
    """The error for an object that is not there."""
    return StorageNotFoundError(
        f"{where(url, span)} is not there: {cut(reason)}. Look whether the name is right.",
        url=url,
        span=span,
    )


def denied(url: str, span: Span | None, reason: str) -> StorageDeniedError:
    """The error for an object that must not be read."""
    return StorageDeniedError(
        f"{where(url, span)} is refused to the credentials given: {cut(reason)}. Look whether they are right, not "
        "expired, and good for this object.",
        url=url,
        span=span,
    )


def shortened(url: str, span: Span, got: int) -> StorageError:
    """The error for an answer that is not as long as what was asked for."""
    return failed(url, span, f"{got:,} bytes came instead of {span[1] - span[0]:,}", True)


def of_status(
    status: int, url: str, span: Span | None, reason: str, retry_after: float | None = None
) -> StorageError:
    """The error for an answer of HTTP that is none of success."""
    if status in (401, 403):
        return denied(url, span, reason)
    if status in (404, 410):
        return not_found(url, span, reason)
    return failed(url, span, reason, passes(status), retry_after)


def of_os_error(error: OSError, url: str, span: Span | None) -> StorageError:
    """The error for a system call that failed; what is a `StorageError` already stays as it is."""
    if isinstance(error, StorageError):
        return error
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return not_found(url, span, reason)
    if isinstance(error, PermissionError):
        return denied(url, span, reason)
    if isinstance(error, TimeoutError):
        return timed_out(url, span, reason)
    passing = error.errno in PASSING or isinstance(error, ConnectionError)
    return failed(url, span, reason, passing)


def of_any(error: Exception, url: str, span: Span | None) -> StorageError:
    """The error for whatever a client library raised.

    Many have the status of the answer as `status` or `code` and its `headers`; boto's have them in `response`.
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
    """How long a server asks to wait, from the headers of its answer: seconds, or the time of day (RFC 9110)."""
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
