"""Command line parsers with arguments that many programs share.

Each function such as ``argument_indir(parser)`` adds one argument. Further arguments of the function are passed to
``parser.add_argument``: additional option names, or keywords that override the defaults.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any


class YesNoAction(argparse.Action):
    """Stores True if the value is ``"yes"``, otherwise False; a default is stored unchanged."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store ``True`` or ``False``."""
        setattr(namespace, self.dest, values == "yes")


class MinMaxAction(argparse.Action):
    """Stores the value, limited to the range that a subclass sets; 0 means the maximum."""

    min_value: Any = None
    max_value: Any = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the limited value."""
        value = values or self.max_value
        setattr(namespace, self.dest, min(max(value, self.min_value), self.max_value))


def make_parser(
    description: str | None,
    indir: bool = True,
    outdir: bool = True,
    no_confirm: bool = True,
    skip_verification: bool = True,
    shuffle: bool = True,
    formatter_class: Any = argparse.RawDescriptionHelpFormatter,
    **kwargs: Any,
) -> argparse.ArgumentParser:
    """A parser with the arguments of a program that converts a dataset.

    Parameters:
        description: beginning of the help, often ``__doc__``.
        indir: whether to add this argument; the same applies to the following parameters.
        outdir: see ``indir``.
        no_confirm: see ``indir``.
        skip_verification: see ``indir``.
        shuffle: see ``indir``.
        formatter_class: formats the help; the default keeps the line breaks of the description.
        kwargs: any other argument of ``argparse.ArgumentParser``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=formatter_class, **kwargs)
    wanted = {
        argument_indir: indir,
        argument_outdir: outdir,
        argument_no_confirm: no_confirm,
        argument_skip_verification: skip_verification,
        argument_shuffle: shuffle,
    }
    for add, add_it in wanted.items():
        if add_it:
            add(parser)
    return parser


def make_parser_simple(
    description: str | None,
    indir: bool = False,
    outdir: bool = False,
    no_confirm: bool = False,
    skip_verification: bool = False,
    shuffle: bool = False,
    formatter_class: Any = argparse.RawDescriptionHelpFormatter,
    **kwargs: Any,
) -> argparse.ArgumentParser:
    """The same as ``make_parser``, but without any of the arguments by default."""
    return make_parser(
        description, indir, outdir, no_confirm, skip_verification, shuffle, formatter_class, **kwargs
    )


def _argument(*names: str, **usual: Any) -> Callable[..., argparse.Action]:
    """A function that adds this argument to a parser."""

    def add(parser: argparse.ArgumentParser, *more_names: str, **kwargs: Any) -> argparse.Action:
        return parser.add_argument(*names, *more_names, **{**usual, **kwargs})

    settings = [*map(repr, names), *(f"{key}={value!r}" for key, value in usual.items())]
    add.__doc__ = f"Call ``parser.add_argument({', '.join(settings)})``."
    return add


argument_indir = _argument(
    "indir", type=str, default=".", metavar="INDIR", help="Folder with the source files of the dataset."
)
argument_outdir = _argument(
    "-o", "--outdir", type=str, default=None, metavar="PATH", help="Folder to write to. (default: INDIR)"
)
argument_infile = _argument("infile", type=str, default=None, help="File to read.")
argument_outfile = _argument("-o", "--outfile", type=str, default=None, metavar="PATH", help="File to write.")
argument_outfile_positional = _argument("outfile", type=str, help="File to write.")
argument_outfiles = _argument(
    "-o", "--outfiles", type=str, default=None, metavar="PATH", help="Files to write.", nargs="+"
)
argument_no_confirm = _argument(
    "-y", "--no-confirm", dest="no_confirm", action="store_true", help="Do not ask for confirmation."
)
argument_skip_verification = _argument(
    "-s", "--skip-verification", action="store_true", help="Do not verify the MD5 of source files."
)
argument_shuffle = _argument(
    "--shuffle",
    default="yes",
    choices=["yes", "no"],
    action=YesNoAction,
    help="Write samples in random order. (default: yes)",
)
argument_calculate_weights = _argument(
    "--calculate-weights",
    action="store_true",
    help="Compute class weights by median frequency balancing.",
)


def argument_threads(parser: argparse.ArgumentParser, default: int = 1, max_threads: int = 0) -> None:
    """Add ``-t``, ``--threads``: a number from 1 to a limit; 0 means the limit.

    Parameters:
        parser: parser to which the argument is added.
        default: default number of threads, at most the limit.
        max_threads: the limit; 0 means one thread per processor, -2 two threads per processor, and so on.
    """
    processors = os.cpu_count() or 1
    limit = max_threads if max_threads > 0 else processors * (-max_threads or 1)

    class Action(MinMaxAction):
        min_value = 1
        max_value = limit

    parser.add_argument(
        "-t",
        "--threads",
        default=min(default, limit),
        metavar=f"0-{limit}",
        type=int,
        action=Action,
        help="Number of threads that convert samples; 0 uses all processors. (default: %(default)s)",
    )
