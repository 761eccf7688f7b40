"""Who fetches what at this moment, so that no two threads or tasks of a process fetch the same block."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable
from concurrent import futures

__all__ = ["Flight", "Flights"]

# A flight is waited for a few times as long as usual; who has waited longer fetches by itself. So a second request
# for what is slow to come, and a flight whose loop has stopped, both find their way.
PATIENCE = 4
SHORTEST_WAIT = 0.25


class Flight:
    """A block that one thread or task fetches, and others may wait for."""

    def __init__(self, patience: float) -> None:
        self.started = time.monotonic()
        self.deadline = self.started + patience
        self._future: futures.Future[memoryview | None] = futures.Future()
        self._future.set_running_or_notify_cancel()  # who waits cannot cancel it

    def end(self, content: memoryview | None) -> None:
        """Hand the block's bytes to all who wait, or None where they have to fetch it by themselves."""
        if not self._future.done():
            self._future.set_result(content)

    def wait(self) -> memoryview | None:
        """The block's bytes; None if they did not come, or not in time."""
        try:
            return self._future.result(max(0.0, self.deadline - time.monotonic()))
        except futures.TimeoutError:
            return None

    async def wait_async(self) -> memoryview | None:
        """The block's bytes; None if they did not come, or not in time."""
        if self._future.done():
            return self._future.result()
        left = max(0.0, self.deadline - time.monotonic())
        with contextlib.suppress(asyncio.TimeoutError):
            return await asyncio.wait_for(asyncio.wrap_future(self._future), left)
        return None


class Flights:
    """The flights of a process, by the names of blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}
        self._usual = 0.0

    def join(self, names: Iterable[str]) -> tuple[dict[str, Flight], dict[str, Flight]]:
        """Flights of one's own, for what nobody fetches, which are to be ended; and those of others."""
        own: dict[str, Flight] = {}
        others: dict[str, Flight] = {}
        with self._lock:
            patience = max(SHORTEST_WAIT, PATIENCE * self._usual)
            for name in names:
                if name in self._flights:
                    others[name] = self._flights[name]
                else:
                    own[name] = self._flights[name] = Flight(patience)
        return own, others

    def arrive(self, name: str, content: memoryview) -> None:
        """Hand on what a flight of one's own has brought, and learn how long one takes."""
        with self._lock:
            flight = self._flights[name]
            self._usual += (time.monotonic() - flight.started - self._usual) / 8
        flight.end(content)

    def leave(self, own: dict[str, Flight]) -> None:
        """Forget flights of one's own, ending those that have not ended."""
        with self._lock:
            for name in own:
                del self._flights[name]
        for flight in own.values():
            flight.end(None)
