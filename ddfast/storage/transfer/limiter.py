"""How many reads are in flight: more while that increases throughput, fewer when the server refuses requests.

The limit doubles round by round while throughput rises, then it is changed in small steps, and a step without effect
is reverted. Too many reads in flight cost little, too few cost throughput in proportion, so in doubt the limit is
high: the last doubling stays.
"""

from __future__ import annotations

__all__ = ["MOST", "ConcurrencyLimiter"]

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


class ConcurrencyLimiter:
    """The limit of reads in flight. Pure: it is told what happens, and the time in seconds.

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
