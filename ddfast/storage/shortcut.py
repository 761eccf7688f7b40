"""An object of a web server, read past obstore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddfast.storage.base import Span, Stat
from ddfast.storage.channels import BrokenAnswerError, Channels
from ddfast.storage.failures import failed, of_os_error, of_status, shortened
from ddfast.storage.heads import Answer, Route, head_of_request, head_with_range
from ddfast.storage.urls import Location

if TYPE_CHECKING:
    from ddfast.storage.base import Storage

__all__ = ["Shortcut"]

PARTIAL, REFUSED, CHANGED, BEYOND = 206, 400, 412, 416


class Shortcut:
    """Reads ranges of an object whose version is known.

    Parameters:
        storage: whose object it is; it notes what is seen of it.
        route: to the server.
        location: of the object.
        tag: the version that is named in requests; None to see by the answers alone.

    Attributes:
        leads_there: False as soon as the server has answered with something that is not understood here.
    """

    def __init__(self, storage: Storage, route: Route, location: Location, tag: str | None) -> None:
        self._storage = storage
        self._route = route
        self._head = head_of_request(route, location, tag)
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
        except ValueError:  # of the certificate: obstore may trust others
            self.leads_there = False
            return False
        except OSError as error:
            raise of_os_error(error, name, span) from error
        return self._is_right(answer, span, len(target))

    def _is_right(self, answer: Answer, span: Span, length: int) -> bool:
        if answer.status == PARTIAL:
            seen = self._storage.seen
            if seen is None or answer.size is None or (seen.version is not None and answer.tag is None):
                return False
            if answer.size != seen.size or answer.tag != seen.version:
                self._storage.note(Stat(answer.size, answer.tag), span)
            return answer.length == length and answer.start == span[0]
        if answer.status == CHANGED:
            raise self._storage.replaced("another version", span)
        if answer.status >= REFUSED and answer.status != BEYOND:
            reason = f"the server answered with status {answer.status}"
            raise of_status(answer.status, self._storage.name, span, reason, answer.retry_after)
        self.leads_there = answer.status == BEYOND
        return False
