"""Functions of all commands: the parser, and errors without tracebacks."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from types import ModuleType
from typing import NoReturn, TextIO, TypeVar

from ddfast.errors import DdfastError
from ddfast.storage.urls import Secrets, shown
from ddfast.tools.messages import shortened

Thing = TypeVar("Thing")
Result = TypeVar("Result")

EXPECTED = (DdfastError, OSError, ValueError)  # errors of the data or the system

FAILED = 1
LONGEST_ERROR = 4000  # characters
INTERRUPTED = 130  # the status that shells report after Ctrl-C

# Control characters of terminals, except new lines and tabs, and their escapes.
CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


class Parser(argparse.ArgumentParser):
    """A parser whose errors do not quote the secrets of arguments."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit."""
        super().error(Secrets().hide(message))


def make_parser(command: ModuleType, prog: str, argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A parser whose help is the docstring of ``command``; some of its options may depend on ``argv``."""
    parser = Parser(
        prog=prog,
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    if hasattr(command, "add_chosen_arguments"):
        command.add_chosen_arguments(parser, argv)
    parser.set_defaults(prog=prog)
    return parser


def say(text: str, file: TextIO | None = None) -> None:
    """Print text that may contain names from an untrusted file, with control characters escaped."""
    print(text.translate(CONTROLS), file=file, flush=True)


def run(command: ModuleType, prog: str, argv: list[str] | None = None) -> int:
    """Parse ``argv`` and run ``command.main``; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    return guarded(
        prog, lambda: int(command.main(make_parser(command, prog, arguments).parse_args(arguments)))
    )


def guarded(prog: str, work: Callable[[], int]) -> int:
    """Run ``work``. Returns its exit code, 1 after an error of the data or the system, or 130 after Ctrl-C."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # of a terminal that cannot show all characters
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
    except EXPECTED as error:
        tell(prog, error)
        return FAILED


def tell(prog: str, error: Exception, name: str = "") -> None:
    """Print an error in one line on standard error, with the name of a dataset unless the error has it."""
    text = Secrets().hide(str(error))
    where = f"{name}: " if name not in text else ""
    say(f"{prog}: {where}{shortened(text, LONGEST_ERROR)}", sys.stderr)


def name_of(thing: object) -> str:
    """The name of a dataset in messages; empty for what is no path or URL."""
    if isinstance(thing, str):
        return shown(thing)
    return str(thing) if isinstance(thing, os.PathLike) else ""


class Several:
    """The datasets of a command that takes several: an error of one of them does not keep it from the others.

    Parameters:
        prog: name of the command in messages.

    Attributes:
        failed: number of errors so far.
    """

    def __init__(self, prog: str) -> None:
        self.prog = prog
        self.failed = 0

    def each(self, work: Callable[[Thing], Result], things: Iterable[Thing]) -> Iterator[Result]:
        """The same as `map`, but errors of the data or the system are printed and counted."""
        for thing in things:
            try:
                result = work(thing)
            except BrokenPipeError:
                raise
            except EXPECTED as error:
                self.failed += 1
                tell(self.prog, error, name_of(thing))
            else:
                yield result

    def expand(self, names: Iterable[str], expand: Callable[[list[str]], Iterable[Thing]]) -> list[Thing]:
        """The datasets that names and patterns stand for, in order and without duplicates."""
        groups = self.each(lambda name: expand([name]), names)
        return list(dict.fromkeys(chain.from_iterable(groups)))

    @property
    def status(self) -> int:
        """The exit code."""
        return FAILED if self.failed else 0
