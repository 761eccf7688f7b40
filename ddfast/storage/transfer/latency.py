"""Durations of recent reads, and what follows from them: when a read is late, and how large reads are cut."""

from __future__ import annotations

__all__ = ["CUT", "Latency"]

# Reads that count as recent, and the number of new ones after which quantiles are computed again.
RECENT = 256
RENEW = 32
# Nothing is concluded from fewer reads.
ENOUGH = 32

# Bandwidth is measured over windows of this many seconds of reading. With each window its old maximum fades, and the
# least latency seen rises, slowly: time that requests spend queued on a full link is not latency.
WINDOW = 0.05
FADE = 0.98
RISE = 1.0002

CUT = 1 << 20
MAX_CUT = 8 << 20


class Latency:
    """Durations and sizes of the latest reads. Pure: times are passed in, in seconds.

    Attributes:
        reads: reads seen.
        bandwidth: bytes per second, the recent maximum; 0 while unknown.
        least: seconds that one more request takes on an idle link; 0 while unknown.
    """

    def __init__(self) -> None:
        self.reads = 0
        self.bandwidth = 0.0
        self.least = 0.0
        self._seconds = [0.0] * RECENT
        self._sizes = [0] * RECENT
        self._size_sum = 0
        self._mean = 0.0
        self._sorted: list[float] = []
        self._sorted_at = 0
        self._ended = self._window_began = -1.0
        self._window_size = 0

    def add(self, now: float, seconds: float, size: int) -> None:
        """A read of `size` bytes ended at `now`, `seconds` after it began."""
        at = self.reads % RECENT
        self.reads += 1
        self._size_sum += size - self._sizes[at]
        self._seconds[at] = seconds
        self._sizes[at] = size
        began = now - seconds
        if began > self._ended:  # no request was under way in between
            self._window_began += began - self._ended
        self._ended = now
        self._window_size += size
        if now - self._window_began >= WINDOW:
            self._end_window(now)

    def _end_window(self, now: float) -> None:
        rate = self._window_size / (now - self._window_began)
        self.bandwidth = max(rate, self.bandwidth * FADE)
        least = self.quantile(0.1)
        self.least = min(least, self.least * RISE) if self.least else least
        self._window_began, self._window_size = now, 0

    @property
    def is_known(self) -> bool:
        """Whether enough reads were seen to know what is usual."""
        return self.reads >= ENOUGH

    def quantile(self, q: float) -> float:
        """Seconds within which the share `q` of recent reads ended; 0 before the first."""
        if self.reads == 0:
            return 0.0
        if self.reads - self._sorted_at >= RENEW or not self._sorted:
            self._sorted = sorted(self._seconds[: min(self.reads, RECENT)])
            self._sorted_at = self.reads
            self._mean = self._size_sum / len(self._sorted)
        return self._sorted[min(len(self._sorted) - 1, int(q * len(self._sorted)))]

    def usual(self, size: int, q: float) -> float:
        """Seconds within which the share `q` of reads of `size` bytes is expected to end; 0 while unknown.

        Proportionally longer for reads that are larger than the recent ones.
        """
        seconds = self.quantile(q)
        return seconds * max(1.0, size / self._mean) if self._mean else seconds

    def cut(self, in_flight: int) -> int:
        """Size in bytes into which large reads are cut, so that several connections share them.

        1 MiB; more only if `in_flight` reads of that size would not fill the link.
        """
        if not self.is_known:
            return CUT
        needed = 1.25 * self.bandwidth * self.least / max(1, in_flight)
        size = CUT
        while size < needed and size < MAX_CUT:
            size *= 2
        return size
