"""How far a writer is, for whoever watches."""

from __future__ import annotations

import sys
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddfast.tools import ProgressPrinter

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
        self._silent = kwargs.get("disable", False)
        self._printer = None if self._silent or _is_hidden(kwargs) else _new_printer(name, kwargs)
        self._shown = 0
        self.due = 0.0

    def show(self, written: int) -> None:
        """Show how many samples are written."""
        if self._printer is not None:
            self._printer(written - self._shown)
        self._shown = written
        self.due = inf if self._printer is None else monotonic() + TICK

    def close(self, written: int, finished: bool) -> None:
        """Show the last count; and say so on a line of its own if the dataset is finished."""
        self.show(written)
        if self._printer is not None:
            self._printer.close()
        if finished and not self._silent:
            print(f"{written} samples written")


def _is_hidden(kwargs: dict[str, Any]) -> bool:
    """Whether the bar is only for terminals, and there is none."""
    stream = kwargs.get("file") or sys.stderr
    return kwargs.get("disable", False) is None and not (hasattr(stream, "isatty") and stream.isatty())


def _new_printer(name: str, kwargs: dict[str, Any]) -> ProgressPrinter:
    from ddfast.tools import make_printer  # tqdm takes longer to import than a small dataset to write

    return make_printer(**{"desc": name, **kwargs})
