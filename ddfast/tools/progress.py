"""Progress on one line of the terminal."""

from __future__ import annotations

import sys
from typing import IO, Any

import tqdm

BAR_FORMAT = "{desc} {percentage:3.0f}% {elapsed}<{remaining}, {rate_fmt}{postfix}"
DOWNLOAD_BAR = "{rate_fmt}, {n_fmt} of {total_fmt} ({percentage:3.0f}%) {elapsed}<{remaining}"


class ProgressPrinter(tqdm.tqdm):  # type: ignore[type-arg]  # tqdm is generic in its stubs only
    """A tqdm bar that advances when it is called, and starts no monitor thread."""

    monitor_interval = 0

    def __call__(self, n: float = 1) -> bool | None:
        """Advance by ``n``; see ``tqdm.update``."""
        return self.update(n)


def make_printer(
    bar_format: str = BAR_FORMAT,
    miniters: float = 0,
    mininterval: float = 0.5,
    smoothing: float = 0.1,
    **kwargs: Any,
) -> ProgressPrinter:
    """A progress printer with short lines and two updates a second.

    Parameters:
        bar_format: format of the line.
        miniters: minimum number of iterations between updates.
        mininterval: minimum number of seconds between updates.
        smoothing: weight of the latest rate in the displayed average.
        kwargs: any other argument of tqdm, such as ``total``, ``desc`` or ``disable``.
    """
    return ProgressPrinter(
        bar_format=bar_format, miniters=miniters, mininterval=mininterval, smoothing=smoothing, **kwargs
    )


def print_over(
    *values: object, end: str = "\n", flush: bool = False, file: IO[str] | None = None, sep: str = " "
) -> None:
    """Print over the current line of a terminal; the arguments are those of ``print``."""
    stream = sys.stdout if file is None else file
    print("\r", *values, sep=sep, end="", file=stream)
    print("\033[K", end=end, file=stream, flush=flush)
