"""Functions of all commands: the parser, and errors without tracebacks."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn, TextIO

from ddfast.errors import DdfastError
from ddfast.storage.urls import Secrets

FAILED = 1
INTERRUPTED = 130  # the status that shells report after Ctrl-C

# Control characters of terminals, except new lines and tabs, and their escapes.
CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


class Parser(argparse.ArgumentParser):
    """A parser whose errors do not quote the secrets of arguments."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit."""
        super().error(Secrets().hide(message))


def make_parser(command: ModuleType, prog: str) -> argparse.ArgumentParser:
    """A parser whose help is the docstring of ``command``."""
    parser = Parser(
        prog=prog,
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    return parser


def say(text: str, file: TextIO | None = None) -> None:
    """Print text that may contain names from an untrusted file, with control characters escaped."""
    print(text.translate(CONTROLS), file=file, flush=True)


def run(command: ModuleType, prog: str, argv: list[str] | None = None) -> int:
    """Parse ``argv`` and run ``command.main``; returns the exit code."""
    return guarded(prog, lambda: int(command.main(make_parser(command, prog).parse_args(argv))))


def guarded(prog: str, work: Callable[[], int]) -> int:
    """Run ``work``. Returns its exit code, 1 after an error of the data or the system, or 130 after Ctrl-C."""
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has ended, as `head` does. The flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DdfastError, OSError, ValueError) as error:
        say(f"{prog}: {Secrets().hide(str(error))}", sys.stderr)
        return FAILED
