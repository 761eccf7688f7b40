"""An object of a web server, read past obstore."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from ddfast.storage.base import Span, Stat
from ddfast.storage.channels import BrokenAnswerError, Channels
from ddfast.storage.failures import failed, of_status, shortened
from ddfast.storage.heads import Answer, Route, head_of_request, head_with_range
from ddfast.storage.urls import Location

if TYPE_CHECKING:
    from ddfast.storage.base import Storage

__all__ = ["Shortcut", "is_tag", "is_weak"]

PARTIAL, REFUSED, CHANGED, BEYOND = 206, 400, 412, 416


class Shortcut:
    """Reads ranges of an object whose version is known.

    Parameters:
        storage: whose object it is; it notes what is seen of it.
        route: to the server.
        location: of the object.
        seen: size and ETag of the object.

    Attributes:
        leads_there: False as soon as the server has answered with something that is not understood here.
    """

    def __init__(self, storage: Storage, route: Route, location: Location, seen: Stat) -> None:
        self._storage = storage
        self._route = route
        self._seen = seen
        # If-Match compares strongly (RFC 9110, 13.1.1): a weak one never fits
        self._head = head_of_request(route, location, None if is_weak(seen.version) else seen.version)
        self.leads_there = True

    async def read(self, channels: Channels, span: Span, target: memoryview) -> bool:
        """Fill the target by one request; whether that was done. If not, it has to be read in another way.

        Raises:
            StorageError: the answer failed in a way that is understood.
        """
        name = self._storage.name
        try:
            answer = await channels.read(self._route, head_with_range(self._head, span), target)
        except BrokenAnswerError as error:
            if error.got:
                raise shortened(name, span, error.got) from error
            raise failed(name, span, str(error), True) from error
        except ssl.SSLError:  # obstore may trust others
            self.leads_there = False
            return False
        except OSError as error:
            raise failed(name, span, str(error), True) from error
        if answer.status == PARTIAL:
            return self._is_right(answer, span)
        if answer.status == CHANGED:
            raise self._storage.replaced("another version", span)
        if answer.status >= REFUSED and answer.status != BEYOND:
            reason = f"the server answered with status {answer.status}"
            raise of_status(answer.status, name, span, reason, answer.retry_after)
        self.leads_there = answer.status == BEYOND
        return False

    def _is_right(self, answer: Answer, span: Span) -> bool:
        """Whether a part of the object that was seen is the one that was asked for."""
        if answer.length is None or answer.size is None or answer.tag is None:
            self.leads_there = False
            return False
        stat = Stat(answer.size, answer.tag)
        if stat != self._seen:
            self._storage.note(stat, span)
        return answer.start == span[0] and answer.length == span[1] - span[0]


def is_weak(tag: str | None) -> bool:
    """Whether an ETag says only that objects mean the same."""
    return tag is not None and tag.startswith("W/")


def is_tag(version: str | None) -> bool:
    """Whether a version is an ETag, and not what stands for one."""
    return version is not None and (version.startswith('"') or is_weak(version))
