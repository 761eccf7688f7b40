"""How many reads are kept in flight: more while that brings more bytes, fewer when the server refuses.

The limit doubles round by round as long as the link answers with more throughput, then it is probed in small steps:
what brought nothing is taken back. Too many reads in flight cost little, too few cost throughput in proportion, so
that doubts are resolved upwards: the last doubling stays. While the limit rests, gaps to read over are tried.
"""

from __future__ import annotations

from ddfast.storage.transfer.gap import Gap

__all__ = ["Flow"]

START = 8
MOST = 256

# A round is long enough to be told from noise: so many reads per slot, and so many seconds.
ROUND_READS = 2
ROUND_SECONDS = 0.02

# A doubling that brings less than this is the last one; a small step is an eighth, and stays if it brings 1/64.
DOUBLING_GAIN = 1.25
STEP = 8
STEP_GAIN = 1 + 1 / 64

# Rounds to rest after a step that brought nothing.
REST = 16

# Errors that say nothing about load count only if one in so many reads ends that way.
ERROR_SHARE = 8


class Flow:
    """The limit of reads in flight. Pure: fed with what happens, and with the time in seconds.

    Parameters:
        start: reads in flight to begin with.
        most: the limit never exceeds this.

    Attributes:
        limit: reads that may be in flight.
        in_flight: reads that are.
        gap: which gaps are worth reading over.
    """

    def __init__(self, start: int = START, most: int = MOST) -> None:
        if start < 1 or most < 1:
            raise ValueError(f"reads in flight are at least 1, not {min(start, most)}")
        self.limit = min(start, most)
        self.in_flight = 0
        self.most = most
        self.gap = Gap()
        self._doubling = True
        self._before = 0  # the limit that a step was taken from, 0 if the last round took none
        self._best = 0.0  # throughput before that step
        self._rest = 0
        self._settling = 0  # reads still to end that were asked for before the limit changed
        self._ended = 0.0
        self._begin_round(0.0)

    @property
    def room(self) -> int:
        """Reads that may begin now."""
        return max(0, self.limit - self.in_flight)

    def begin(self, now: float) -> None:
        """A read begins."""
        if self.in_flight == 0:
            self._began += now - self._ended  # nothing was asked for meanwhile
        self.in_flight += 1
        if self.in_flight >= self.limit:
            self._filled += 1

    def end(self, now: float, size: int) -> None:
        """A read ended and brought `size` bytes; 0 if it failed or was given up."""
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
        """An attempt failed; `throttled` if the server asked for less (429, 503) or did not answer in time."""
        self._failed += 1
        share = self._failed * ERROR_SHARE / max(self._reads, self.limit, ERROR_SHARE)
        # Reads that were in flight with the one refused say the same once more: one halving until they are gone.
        if self._settling or not (throttled or share > 1):
            return
        self._change(now, max(1, self.limit // 2))
        self._doubling = False
        self._before = 0
        self._rest = REST

    def _change(self, now: float, limit: int) -> None:
        if limit != self.limit:
            self.gap.drop()
        self.limit = limit
        self._settling = max(self.in_flight, 1)
        self._begin_round(now)

    def _begin_round(self, now: float) -> None:
        self._began = now
        self._reads = self._bytes = self._filled = self._failed = 0

    def _end_round(self, now: float) -> None:
        # With fewer reads at hand than the limit allows, throughput says nothing about the limit.
        if self._filled * 2 >= self._reads:
            self._judge(now, self._bytes / (now - self._began))
        else:
            self.gap.drop()
        if not self._settling:
            self._begin_round(now)

    def _judge(self, now: float, rate: float) -> None:
        if self._doubling and rate < self._best * DOUBLING_GAIN:
            self._doubling = False
            self._rest = REST
        elif self._before and rate < self._best * STEP_GAIN:
            self._change(now, self._before)
            self._before, self._rest = 0, REST
        elif self._rest > 0 or self.limit == self.most:
            self._before = 0
            self._try_gap(now)
        else:
            self._before = 0 if self._doubling else self.limit
            self._best = rate
            step = self.limit if self._doubling else max(1, self.limit // STEP)
            self._change(now, min(self.most, self.limit + step))

    def _try_gap(self, now: float) -> None:
        if self.gap.add(self._bytes, now - self._began):
            self._change(now, self.limit)
        if not self.gap.is_tried:
            self._rest = max(0, self._rest - 1)
