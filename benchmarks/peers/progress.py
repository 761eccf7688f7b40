"""The progress of a run on standard error: a line for each step, and a bar on a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm


class Progress:
    """The steps of one dataset.

    Parameters:
        title: beginning of all lines.
        total: number of steps.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title = title
        self.bar = tqdm(total=total, desc=title, unit="turn", leave=False, disable=None, dynamic_ncols=True)
        self.started = time.perf_counter()

    def step(self, what: str) -> None:
        """Start a step with this description."""
        self.bar.set_postfix_str(what, refresh=False)
        self.bar.update()

    def say(self, line: str) -> None:
        """Print what is done, and the time since the last line."""
        now = time.perf_counter()
        tqdm.write(f"{self.title}: {line} ({now - self.started:.0f} s)", file=sys.stderr)
        self.started = now

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bar.close()
