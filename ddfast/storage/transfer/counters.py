"""Counters of what was transferred from remote storage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

__all__ = ["TransferCounters"]


@dataclass(slots=True)
class TransferCounters:
    """What was read from remote storage so far. Written by one thread; other threads may read it at any time.

    If `waited` is close to the duration of a pass, storage is the bottleneck; if `in_flight` stays below `limit`,
    more could have been requested.

    Attributes:
        bytes: requested bytes that arrived.
        requests: requests sent, including retries and second requests.
        merged: reads that shared the request of the read before.
        cut: requests that resulted from cutting large reads.
        retries: attempts after a failed one.
        hedged: second requests sent because the first was unusually late.
        throttled: attempts that the server refused because of its load (429, 503).
        failed: reads that failed for good.
        waited: seconds during which at least one request was under way.
        in_flight: requests under way.
        in_flight_max: its maximum so far.
        limit: requests that may be under way.
    """

    bytes: int = 0
    requests: int = 0
    merged: int = 0
    cut: int = 0
    retries: int = 0
    hedged: int = 0
    throttled: int = 0
    failed: int = 0
    waited: float = 0.0
    in_flight: int = 0
    in_flight_max: int = 0
    limit: int = 0
    _waited_until: float = field(default=0.0, repr=False, compare=False)

    def begin(self, now: float) -> None:
        """A read begins."""
        if self.in_flight == 0:
            self._waited_until = now
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)

    def end(self, now: float, limit: int) -> None:
        """A read has ended; `limit` reads may be under way now."""
        self.in_flight -= 1
        self.waited += now - self._waited_until
        self._waited_until = now
        self.limit = limit

    @classmethod
    def total(cls, parts: Iterable[TransferCounters]) -> TransferCounters:
        """The sum of several, with the maximum of those that are no sums."""
        result = cls()
        for part in parts:
            for name in COUNTS:
                setattr(result, name, getattr(result, name) + getattr(part, name))
            for name in LEVELS:
                setattr(result, name, max(getattr(result, name), getattr(part, name)))
        return result


LEVELS = ("in_flight", "in_flight_max", "limit")
COUNTS = tuple(
    each.name for each in fields(TransferCounters) if each.name not in LEVELS and each.name != "_waited_until"
)
