"""A link to remote storage in virtual time: latency, bandwidth, and a limit of concurrent requests."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

from ddfast.storage.transfer.link import ConcurrencyLimiter


@dataclass
class Link:
    """A link and its server. With more than `refuse_above` requests in flight, the server answers 503."""

    latency: float
    bandwidth: float = float("inf")
    concurrency: int = 1 << 30
    refuse_above: int = 1 << 30
    jitter: float = 0.0
    now: float = 0.0
    wire_free: float = 0.0
    at_work: int = 0
    delivered: int = 0
    refused: int = 0
    most_in_flight: int = 0
    queue: deque[int] = field(default_factory=deque)
    events: list[tuple[float, int, str, int]] = field(default_factory=list)
    number: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(7))

    def run(self, limiter: ConcurrencyLimiter, seconds: float, size: int, most: int = 1 << 30) -> float:
        """Keep as many reads of `size` bytes in flight as `limiter` allows, at most `most`. Returns bytes/s."""
        stop, before = self.now + seconds, self.delivered
        self._fill(limiter, size, most)
        while self.events[0][0] < stop:
            self.now, _, what, size_then = heapq.heappop(self.events)
            getattr(self, f"_{what}")(limiter, size_then)
            self._fill(limiter, size, most)
        self.now = stop
        return (self.delivered - before) / seconds

    def _push(self, at: float, what: str, size: int) -> None:
        self.number += 1
        heapq.heappush(self.events, (at, self.number, what, size))

    def _fill(self, limiter: ConcurrencyLimiter, size: int, most: int) -> None:
        while limiter.room and limiter.in_flight < most:
            limiter.begin(self.now)
            self.most_in_flight = max(self.most_in_flight, limiter.in_flight)
            if limiter.in_flight > self.refuse_above:
                self._push(self.now + self.latency, "refuse", size)
            elif self.at_work < self.concurrency:
                self._serve(size)
            else:
                self.queue.append(size)

    def _serve(self, size: int) -> None:
        self.at_work += 1
        self._push(self.now + self.latency * (1 + self.jitter * self.random.random()), "send", size)

    def _send(self, limiter: ConcurrencyLimiter, size: int) -> None:
        self.wire_free = max(self.wire_free, self.now) + size / self.bandwidth
        self._push(self.wire_free, "arrive", size)

    def _arrive(self, limiter: ConcurrencyLimiter, size: int) -> None:
        self.at_work -= 1
        if self.queue:
            self._serve(self.queue.popleft())
        self.delivered += size
        limiter.end(self.now, size)

    def _refuse(self, limiter: ConcurrencyLimiter, size: int) -> None:
        self.refused += 1
        limiter.fail(self.now, throttled=True)
        limiter.end(self.now, 0)
