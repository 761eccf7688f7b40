"""Stores whose every request names the version of one object.

A plain range is the cheapest thing to ask obstore for, but can neither name a version nor tell of which it is. So the
version goes into the headers that a store sends with all requests, and the server refuses whatever is another. That is
relied on only where the server has shown that it does refuse.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddfast.storage.backends.leaving import requests
from ddfast.storage.backends.obstore_errors import is_failure, passes_by
from ddfast.storage.backends.stores import key_of, make_store
from ddfast.storage.urls import Location

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["MOST_PINNED", "Pin"]

# An object that is read less often, such as an index file, is not worth connections of its own; nor are many objects.
WORTH_READS = 16
MOST_PINNED = 8

# The server must not give this byte to one who wants another version.
PROBE = (0, 1)


class Pin:
    """The store of one object, as soon as it is known to be of use.

    Parameters:
        location: of the object.
        options: those of `open_storage`.

    Attributes:
        store: gives ranges of the version that was tried, and of no other; None where there is no such store.
    """

    def __init__(self, location: Location, options: Mapping[str, Any]) -> None:
        self._location = location
        self._options = options
        self._lock = threading.Lock()
        self._reads = 0
        self._is_settled = location.scheme == "memory" or _has_conditions(options)
        self.store: ObjectStore | None = None

    def is_due(self) -> bool:
        """Count a read; whether the server should be tried before it."""
        if self._is_settled:
            return False
        with self._lock:
            self._reads += 1
            return self._reads % WORTH_READS == 0

    def settle(self) -> None:
        """Never try it."""
        self._is_settled = True

    def drop(self) -> None:
        """Forget the store, whose credentials may be old, and try a new one later."""
        self.store = None
        self._is_settled = False

    def attempt(self, tag: str) -> None:
        """Try whether the server refuses a version that there is not; if so, have a store for the one of `tag`."""
        import obstore

        try:
            obstore.get_range(
                self._store_for(_other(tag)), key_of(self._location), start=PROBE[0], end=PROBE[1]
            )
        except Exception as error:
            self._conclude(error, tag)
        else:
            self.settle()

    async def attempt_async(self, tag: str) -> None:
        """As `attempt`."""
        import obstore

        store = self._store_for(_other(tag))
        probe = obstore.get_range_async(store, key_of(self._location), start=PROBE[0], end=PROBE[1])
        try:
            await requests.wait_for(probe)
        except Exception as error:
            self._conclude(error, tag)
        else:
            self.settle()

    def _conclude(self, error: Exception, tag: str) -> None:
        from obstore.exceptions import PreconditionError

        if not is_failure(error):
            raise error
        if isinstance(error, PreconditionError):
            self.store = self._store_for(tag)
        self._is_settled = not passes_by(error)

    def _store_for(self, tag: str) -> ObjectStore:
        return make_store(self._location, self._options, headers={"if-match": tag})


def _other(tag: str) -> str:
    """An ETag that the object cannot have."""
    return f'"not-{tag.strip(chr(34))}"'


def _has_conditions(options: Mapping[str, Any]) -> bool:
    """Whether the user's own headers name versions, which must not be mixed with ours."""
    headers = (options.get("client_options") or {}).get("default_headers") or {}
    return any(str(name).lower().startswith("if-") for name in headers)
