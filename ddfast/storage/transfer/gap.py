"""Which gaps between two pieces are read over, to save a request: larger ones while that brings more."""

from __future__ import annotations

__all__ = ["Gap"]

# The least costs no more than a request, which takes somebody's processor 50 microseconds and more.
SIZES = (16 << 10, 64 << 10, 256 << 10)

# A larger gap has to bring so much more: what is read in vain is paid for, or missed, elsewhere.
GAIN = 1.15
# A trial ends early when the other size brings less than this share.
POOR = 0.8

# Rounds of one size before the other has its turn: the present one, twice the other, and the present one again.
TURN = 2
# After a trial that changed nothing there is none for so many times as long as it has lost, which is taken for the
# share LEAST of the other size's time at least.
REST = 40
LEAST = 0.2


class Gap:
    """Bytes between two pieces that are read over. Pure: fed with rounds of reading.

    What a request costs, and what could be read meanwhile, depends on server, link and processors, and on which of
    them is the limit; it is not seen in requests of one size. So the next larger and the next smaller gap are tried
    in turn, and the one that brings more of what is wanted is kept. The present one has the first and the last turn
    of a trial, so that what grows or shrinks meanwhile counts for neither.

    Attributes:
        size: bytes, now.
    """

    def __init__(self) -> None:
        self._at = 0
        self._step = 1  # the trial is of the size so many places further
        self._rest = 0.0
        self.size = SIZES[0]
        # The trial: its rounds, and what they brought in how many seconds, with the present size and with the other.
        self._rounds = 0
        self._wanted = [0, 0]
        self._seconds = [0.0, 0.0]

    @property
    def is_tried(self) -> bool:
        """A trial is under way."""
        return self._rounds > 0

    def add(self, wanted: int, seconds: float) -> bool:
        """In a round of so many seconds, with as many reads in flight as may be, so many bytes came that were wanted.

        Returns:
            Whether the size has changed: the next round is to begin when the reads of the present size have ended.
        """
        if self._rest > 0:
            self._rest -= seconds
            return False
        before, other = self.size, self._is_other
        self._wanted[other] += wanted
        self._seconds[other] += seconds
        self._rounds += 1
        if self._rounds == 4 * TURN or (other and self._rate(1) < POOR * self._rate(0)):
            self._end_trial()
        else:
            self.size = SIZES[self._at + self._step * self._is_other]
        return self.size != before

    def drop(self) -> None:
        """What has been seen of the trial under way says nothing."""
        self.size = SIZES[self._at]
        self._rounds = 0
        self._wanted = [0, 0]
        self._seconds = [0.0, 0.0]

    @property
    def _is_other(self) -> bool:
        return TURN <= self._rounds < 3 * TURN

    def _rate(self, other: int) -> float:
        return self._wanted[other] / self._seconds[other]

    def _end_trial(self) -> None:
        gain = self._rate(1) / max(1.0, self._rate(0))
        if gain > GAIN if self._step > 0 else gain * GAIN >= 1:
            self._at += self._step
        else:
            self._turn_back(gain)
        if not 0 <= self._at + self._step < len(SIZES):
            self._turn_back(gain)
        self.drop()

    def _turn_back(self, gain: float) -> None:
        self._rest = REST * self._seconds[1] * max(LEAST, 1 - gain)
        if 0 <= self._at - self._step < len(SIZES):
            self._step = -self._step
