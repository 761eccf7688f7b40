"""What recent reads took, and what follows from it: when a read is late, how large reads are cut."""

from __future__ import annotations

__all__ = ["Latency"]

# Reads that count as recent, and after how many new ones the quantiles are worked out again.
RECENT = 256
RENEW = 32
# So many reads are seen before anything is concluded from them.
ENOUGH = 32

# Bandwidth is measured over windows of this many seconds of reading. With each window an old maximum of it fades, and
# the least latency seen rises, slowly: what queues on a full link is not latency.
WINDOW = 0.05
FADE = 0.98
RISE = 1.0002

CUT = 1 << 20
MAX_CUT = 8 << 20


class Latency:
    """Times and sizes of the latest reads. Pure: it looks at no clock, times are handed in, in seconds.

    Attributes:
        reads: reads seen.
        bandwidth: bytes per second, the most that was seen lately; 0 as long as nothing is known.
        least: seconds that one more request takes on an idle link; 0 as long as nothing is known.
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
        if began > self._ended:  # nothing was asked for meanwhile
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
        """Enough reads were seen to tell what is usual."""
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
        """Seconds within which the share `q` of reads of `size` bytes is expected to end; 0 if nothing is known.

        Reads larger than the recent ones are granted time in proportion.
        """
        seconds = self.quantile(q)
        return seconds * max(1.0, size / self._mean) if self._mean else seconds

    def cut(self, in_flight: int) -> int:
        """Bytes at which large reads are cut, so that several connections share them.

        1 MB, and more only where `in_flight` reads of that size would not fill the link.
        """
        if not self.is_known:
            return CUT
        needed = 1.25 * self.bandwidth * self.least / max(1, in_flight)
        size = CUT
        while size < needed and size < MAX_CUT:
            size *= 2
        return size
