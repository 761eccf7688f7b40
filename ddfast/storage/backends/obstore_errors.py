"""What obstore raises, as `StorageError`.

It has a class for some refusals only. The status of the others, and what went wrong below HTTP, stand in its message
(seen with obstore 0.12.1): "... - Server returned non-2xx status code: 503 Service Unavailable: body" and, behind
"Debug source:", "kind: Timeout".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ddfast.errors import DdfastError, StorageError
from ddfast.storage.failures import Span, denied, failed, not_found, of_status, passes, timed_out

if TYPE_CHECKING:
    from ddfast.storage.base import Storage

STATUS = re.compile(r"Server returned non-2xx status code: (\d{3})")
KIND = re.compile(r"kind: (Timeout|Interrupted|Connect|Request|Decode)\b")
# S3 says so with status 400.
EXPIRED = re.compile(r"<Code>(ExpiredToken|TokenRefreshRequired|InvalidToken)</Code>")
# The object may be shorter than it was.
WRONG_RANGE = re.compile(r"Requested \d+\.\.\d+, got |Wanted range starting at \d+, but ")
RANGE_STATUS = 416
NO_SUCH_METHOD = (405, 501)

NO_RANGES = (
    "the server gives whole objects only, no ranges of bytes, as `python -m http.server` does. Copy the dataset to a "
    "disk, or have it served by one that knows ranges, such as nginx"
)


def is_failure(error: Exception) -> bool:
    """Whether an exception came from obstore; what is explained already did not, nor do mistakes in the program."""
    from obstore.exceptions import BaseError

    return isinstance(error, BaseError | OSError | ValueError) and not isinstance(error, DdfastError)


def status_of(error: Exception) -> int | None:
    """The status that the server answered with, if that is what failed."""
    match = STATUS.search(str(error))
    return int(match[1]) if match else None


def may_be_cut(error: Exception) -> bool:
    """Whether the reason may be that the object ends before what was asked for."""
    return status_of(error) == RANGE_STATUS or WRONG_RANGE.search(str(error)) is not None


def knows_no_head(error: Exception) -> bool:
    """Whether the size may have to be asked for in another way; signed URLs are often good for GET alone."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    return status_of(error) in NO_SUCH_METHOD or isinstance(
        error, PermissionDeniedError | UnauthenticatedError
    )


def passes_by(error: Exception) -> bool:
    """Whether what obstore raised may be gone at the next attempt."""
    status = status_of(error)
    kind = KIND.search(str(error)) is not None
    return passes(status) if status is not None else kind or WRONG_RANGE.search(str(error)) is not None


def explained(error: Exception, storage: Storage, span: Span | None) -> StorageError:
    """What to raise for what obstore raised."""
    from obstore import exceptions

    reason, _, debug = str(error).partition("\n\nDebug source:")
    url, status = storage.name, status_of(error)
    if isinstance(error, exceptions.PreconditionError | exceptions.NotModifiedError):
        return storage.replaced("another version", span)
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return denied(url, span, reason)
    if EXPIRED.search(reason):
        return denied(url, span, reason)
    if isinstance(error, FileNotFoundError):
        return not_found(url, span, reason)
    if isinstance(error, exceptions.NotSupportedError) and span is not None:
        return failed(url, span, NO_RANGES, False)
    if status is not None:
        return of_status(status, url, span, reason)
    if "kind: Timeout" in debug:
        return timed_out(url, span, reason)
    return failed(url, span, reason, passes_by(error))
