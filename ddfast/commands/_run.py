"""What every command shares: its parser, and an end without tracebacks."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TextIO

from ddfast.errors import DdfastError

FAILED = 1
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended

# What makes a terminal do other things than show text, except for new lines and tabs.
CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def make_parser(command: ModuleType, prog: str) -> argparse.ArgumentParser:
    """A parser whose help is the docstring of ``command``."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    return parser


def say(text: str, file: TextIO | None = None) -> None:
    """Print text that may hold names from a file, which strangers chose: what controls terminals is spelled out."""
    print(text.translate(CONTROLS), file=file, flush=True)


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
        say(f"{prog}: {error}", sys.stderr)
        return FAILED
