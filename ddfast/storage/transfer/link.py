"""What is measured of the link to a storage: counters, durations of reads, and how many reads help at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

__all__ = ["MOST", "ConcurrencyLimiter", "Latency", "TransferCounters"]

# Reads that count as recent, and the number of new ones after which quantiles are computed again.
RECENT = 256
RENEW = 32
# Nothing is concluded from fewer reads.
ENOUGH = 32

# Fields of counters that are not sums.
LEVELS = ("in_flight", "in_flight_max", "limit", "_waited_until")

START = 8
MOST = 256

# A round is long enough to be told from noise: this many reads per slot, and this many seconds.
ROUND_READS = 2
ROUND_SECONDS = 0.02

# A doubling with less effect is the last one; a small step is an eighth, and stays if throughput rises by 1/64.
DOUBLING_GAIN = 1.25
STEP = 8
STEP_GAIN = 1 + 1 / 64

# Rounds without a step after one that had no effect.
REST = 16

# Errors that do not indicate load count only if at least one in this many reads fails with one.
ERROR_SHARE = 8


@dataclass(slots=True)
class TransferCounters:
    """What was read from remote storage so far. Written by one thread; other threads may read it at any time.

    If `waited` is close to the duration of a pass, storage is the bottleneck; if `in_flight` stays below `limit`,
    more could have been requested.

    Attributes:
        bytes: requested bytes that arrived.
        requests: requests sent, including retries and second requests.
        merged: reads that shared the request of the read before.
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
            for name in (each.name for each in fields(cls)):
                both = getattr(result, name), getattr(part, name)
                setattr(result, name, max(both) if name in LEVELS else sum(both))
        return result


class Latency:
    """Durations and sizes of recent reads, from which follows when a read is late. Times are in seconds.

    Attributes:
        reads: reads seen.
    """

    def __init__(self) -> None:
        self.reads = 0
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self._mean = 0.0  # size
        self._sorted: list[float] = []
        self._sorted_at = 0

    def add(self, seconds: float, size: int) -> None:
        """A read of `size` bytes took `seconds`."""
        self.reads += 1
        self._recent.append((seconds, size))

    @property
    def is_known(self) -> bool:
        """Whether enough reads were seen to know what is usual."""
        return self.reads >= ENOUGH

    def quantile(self, q: float) -> float:
        """Seconds within which the share `q` of recent reads ended; 0 before the first."""
        if self.reads == 0:
            return 0.0
        if self.reads - self._sorted_at >= RENEW or not self._sorted:
            self._sorted = sorted(seconds for seconds, _ in self._recent)
            self._sorted_at = self.reads
            self._mean = sum(size for _, size in self._recent) / len(self._recent)
        return self._sorted[min(len(self._sorted) - 1, int(q * len(self._sorted)))]

    def usual(self, size: int, q: float) -> float:
        """Seconds within which the share `q` of reads of `size` bytes is expected to end; 0 while unknown.

        Proportionally longer for reads that are larger than the recent ones.
        """
        seconds = self.quantile(q)
        return seconds * max(1.0, size / self._mean) if self._mean else seconds


class ConcurrencyLimiter:
    """The limit of reads in flight: more while that increases throughput, fewer when the server refuses requests.

    The limit doubles round by round while throughput rises, then it is changed in small steps, and a step without
    effect is reverted. Too many reads in flight cost little, too few cost throughput in proportion, so in doubt the
    limit is high: the last doubling stays. Pure: it is told what happens, and the time in seconds.

    Parameters:
        start: the limit at the beginning.
        most: the limit never exceeds this.

    Attributes:
        limit: reads that may be in flight.
        in_flight: reads that are in flight.
    """

    def __init__(self, start: int = START, most: int = MOST) -> None:
        if start < 1 or most < 1:
            raise ValueError(f"the number of reads in flight must be at least 1, not {min(start, most)}")
        self.limit = min(start, most)
        self.in_flight = 0
        self.most = most
        self._is_doubling = True
        self._before = 0  # the limit before the step of the last round; 0 if there was none
        self._best = 0.0  # throughput before that step
        self._rest = 0
        self._settling = 0  # reads under way that began before the limit changed
        self._ended = 0.0
        self._begin_round(0.0)

    @property
    def room(self) -> int:
        """Reads that may begin now."""
        return max(0, self.limit - self.in_flight)

    def begin(self, now: float) -> None:
        """A read begins."""
        if self.in_flight == 0:
            self._began += now - self._ended  # no read was in flight in between
        self.in_flight += 1
        if self.in_flight >= self.limit:
            self._filled += 1

    def end(self, now: float, size: int) -> None:
        """A read ended with `size` bytes; 0 if it failed or was cancelled."""
        self.in_flight -= 1
        self._ended = now
        self._reads += 1
        self._bytes += size
        if self._settling:
            if self._reads >= self._settling:
                self._settling = 0
                self._begin_round(now)
        elif self._reads >= ROUND_READS * self.limit and now - self._began >= ROUND_SECONDS:
            self._end_round(now)

    def fail(self, now: float, throttled: bool) -> None:
        """An attempt failed; `throttled` if the server asked for fewer (429, 503) or did not answer in time."""
        self._failed += 1
        share = self._failed * ERROR_SHARE / max(self._reads, self.limit, ERROR_SHARE)
        # Other reads that were in flight at the time may be refused as well: the limit is halved once for all of them.
        if self._settling or not (throttled or share > 1):
            return
        self._change(now, max(1, self.limit // 2))
        self._is_doubling = False
        self._before = 0
        self._rest = REST

    def _change(self, now: float, limit: int) -> None:
        self.limit = limit
        self._settling = max(self.in_flight, 1)
        self._begin_round(now)

    def _begin_round(self, now: float) -> None:
        self._began = now
        self._reads = self._bytes = self._filled = self._failed = 0

    def _end_round(self, now: float) -> None:
        # If fewer reads are wanted than the limit allows, throughput does not depend on the limit.
        if self._filled * 2 >= self._reads:
            self._judge(now, self._bytes / (now - self._began))
        if not self._settling:
            self._begin_round(now)

    def _judge(self, now: float, rate: float) -> None:
        if self._is_doubling and rate < self._best * DOUBLING_GAIN:
            self._is_doubling = False
            self._rest = REST
        elif self._before and rate < self._best * STEP_GAIN:
            self._change(now, self._before)
            self._before, self._rest = 0, REST
        elif self._rest > 0 or self.limit == self.most:
            self._before = 0
            self._rest = max(0, self._rest - 1)
        else:
            self._before = 0 if self._is_doubling else self.limit
            self._best = rate
            step = self.limit if self._is_doubling else max(1, self.limit // STEP)
            self._change(now, min(self.most, self.limit + step))
