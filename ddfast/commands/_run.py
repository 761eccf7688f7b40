"""What every command shares: its parser, and an end without tracebacks."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from types import ModuleType

from ddfast.errors import DdfastError

FAILED = 1
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def make_parser(command: ModuleType, prog: str) -> argparse.ArgumentParser:
    """A parser whose help is the docstring of ``command``."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    return parser


def run(command: ModuleType, prog: str, argv: list[str] | None = None) -> int:
    """Parse ``argv`` and run ``command.main``; returns the exit code."""
    return guarded(prog, lambda: int(command.main(make_parser(command, prog).parse_args(argv))))


def guarded(prog: str, work: Callable[[], int]) -> int:
    """The exit code of ``work()``: its own, 1 after an error of the data or the system, 130 after Ctrl-C."""
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output left, as `head` does. The flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DdfastError, OSError, ValueError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return FAILED
