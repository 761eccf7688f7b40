"""Progress on one line of the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import IO, Any

import tqdm
from tqdm.std import TqdmDefaultWriteLock  # type: ignore[attr-defined]  # missing in its stubs

from ddfast._util.terminal import is_hidden

BAR_FORMAT = "{desc} {percentage:3.0f}% {elapsed}<{remaining}, {rate_fmt}{postfix}"
DOWNLOAD_BAR = "{rate_fmt}, {n_fmt} of {total_fmt} ({percentage:3.0f}%) {elapsed}<{remaining}"


class NoInstances:
    """The bars that share the terminal with a disabled one: none."""

    def add(self, bar: Any) -> None:
        """Do nothing."""

    def remove(self, bar: Any) -> None:
        """Do nothing."""


class ProgressPrinter(tqdm.tqdm):  # type: ignore[type-arg]  # tqdm is generic in its stubs only
    """A tqdm bar that advances when it is called, and starts no monitor thread.

    Its lock is the one of tqdm for threads, not the one that forked processes share: a process that is killed while it
    holds that one would stop all others.
    """

    monitor_interval = 0
    _lock: Any = TqdmDefaultWriteLock.th_lock

    def __call__(self, n: float = 1) -> bool | None:
        """Advance by ``n``; see ``tqdm.update``."""
        return self.update(n)


class SilentPrinter(ProgressPrinter):
    """A disabled bar, which takes no lock."""

    _lock: Any = contextlib.nullcontext()
    _instances: Any = NoInstances()

    @classmethod
    def _get_free_pos(cls, instance: Any = None) -> int:  # a method of tqdm
        return 0


def _replace_lock() -> None:
    ProgressPrinter._lock = threading.RLock()  # a thread of the parent may have held the old one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_lock)


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
    if is_hidden(**kwargs):
        return SilentPrinter(**{**kwargs, "disable": True})
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
