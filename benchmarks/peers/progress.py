"""What the command tells on standard error while it measures: a line for each step, and a bar on a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm


class Progress:
    """The steps of one dataset.

    Parameters:
        title: what lines begin with.
        total: number of steps.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title = title
        self.bar = tqdm(total=total, desc=title, unit="turn", leave=False, disable=None, dynamic_ncols=True)
        self.started = time.perf_counter()

    def step(self, what: str) -> None:
        """One more step is to come, and this is what it does."""
        self.bar.set_postfix_str(what, refresh=False)
        self.bar.update()

    def say(self, line: str) -> None:
        """Tell what is done, and how long it took since the last line."""
        now = time.perf_counter()
        tqdm.write(f"{self.title}: {line} ({now - self.started:.0f} s)", file=sys.stderr)
        self.started = now

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.close()
