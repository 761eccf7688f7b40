"""How far a writer is, for whoever watches."""

from __future__ import annotations

from time import monotonic
from typing import Any

from ddfast.tools import make_printer

# Seconds between calls of the printer: calling it takes as long as packing a small sample.
TICK = 0.1


class Progress:
    """Counts samples on the terminal.

    Parameters:
        name: of the dataset.
        kwargs: for ``make_printer``; ``disable`` also silences the last line.

    Attributes:
        due: when ``show`` is to be called next, on the clock of ``time.monotonic``.
    """

    def __init__(self, name: str, kwargs: dict[str, Any]) -> None:
        self._printer = make_printer(**{"desc": name, **kwargs})
        self._silent = kwargs.get("disable", False)
        self._shown = 0
        self.due = 0.0

    def show(self, written: int) -> None:
        """Show how many samples are written."""
        self._printer(written - self._shown)
        self._shown = written
        self.due = monotonic() + TICK

    def close(self, written: int, finished: bool) -> None:
        """Show the last count; and say so on a line of its own if the dataset is finished."""
        self.show(written)
        self._printer.close()
        if finished and not self._silent:
            print(f"{written} samples written")
