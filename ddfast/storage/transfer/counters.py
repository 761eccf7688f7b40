"""What went over the wire, counted."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Traffic"]


@dataclass(slots=True)
class Traffic:
    """What reading from far storage took so far. Written by one thread; others may look at any time.

    Where `waited` is close to the time that a pass took, storage is what is waited for; where `in_flight` stays
    below `limit`, it was not asked for more.

    Attributes:
        bytes: bytes that arrived and were asked for.
        requests: requests sent, second attempts of all kinds included.
        merged: reads that went into a request together with the one before.
        cut: requests that came of cutting large reads.
        retries: attempts after one that failed.
        hedged: second requests sent because the first was unusually late.
        throttled: attempts that the server refused because it had too many (429, 503).
        failed: reads that could not be done.
        waited: seconds during which at least one request was under way.
        in_flight: requests under way.
        in_flight_max: the most that there were.
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
