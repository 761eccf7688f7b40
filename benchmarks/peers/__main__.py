"""Compare ddfast with the formats and loaders that people use instead: the same samples, in one run.

Each peer writes the samples into a format of its own, is checked to give the same ones back, and then takes its
turns with all others in a warm page cache. Prints a table for each dataset. docs/benchmarks.md explains the jobs,
the settings of the peers, and what is unfair about them. Run it from the root of the repository;
`pip install '.[peers]'` installs the peers.

Example:
  python -m benchmarks.peers --data /tmp/ddfast-data --cores 2 --json peers.json --plot docs
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.datasets import DATASETS, add_data_argument
from benchmarks.measure import machine_line
from benchmarks.peers.jobs import JOBS
from benchmarks.peers.registry import PEERS
from benchmarks.peers.report import document, facts, tables
from benchmarks.peers.run import Plan, Result, run


def positive(kind: type) -> Any:
    """A parser of numbers above 0."""

    def parse(text: str) -> Any:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    parse.__name__ = "number"
    return parse


def add_choice(parser: argparse.ArgumentParser, option: str, names: Sequence[str], what: str) -> None:
    """An option that takes some of the names, all by default."""
    parser.add_argument(
        option, nargs="+", choices=names, default=names, metavar="NAME", help=f"{what} (default: all)"
    )


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, entries in (("--datasets", DATASETS), ("--peers", PEERS), ("--jobs", JOBS)):
        names = [entry.name for entry in entries]
        add_choice(parser, option, names, ", ".join(names))
    add_data_argument(parser)
    parser.add_argument("--samples", type=positive(int), help="of each dataset at most (default: all)")
    parser.add_argument("--repeats", type=positive(int), default=5, help="turns of each peer (default: 5)")
    parser.add_argument("--seconds", type=positive(float), default=1.0, help="time of one turn (default: 1)")
    parser.add_argument(
        "--timeout",
        type=positive(float),
        default=120.0,
        help="seconds after which a peer is given up (default: 120)",
    )
    parser.add_argument("--cores", type=positive(int), help="use this many cores (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures into this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables into this file")
    parser.add_argument(
        "--plot", type=Path, metavar="FOLDER", help="draw peers_<dataset>.png into this folder"
    )
    return parser


def keep_to(cores: int) -> None:
    """Run on a few cores only, with all processes that are started."""
    allowed = sorted(os.sched_getaffinity(0))
    if cores > len(allowed):
        raise SystemExit(f"--cores {cores}: there are {len(allowed)}")
    os.sched_setaffinity(0, allowed[:cores])


def publish(args: argparse.Namespace, machine_facts: dict[str, Any], results: list[Result]) -> None:
    """Write what is asked for."""
    if args.json:
        args.json.write_text(json.dumps(document(machine_facts, results), indent=2) + "\n")
    if args.markdown:
        args.markdown.write_text(tables(machine_facts, results))
    if args.plot:
        from benchmarks.peers.plot import plot

        plot(args.plot, results, machine_line(machine_facts))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write what is asked for."""
    args = parser().parse_args(arguments)
    if args.cores:
        keep_to(args.cores)
    options = ("datasets", "peers", "jobs", "data", "samples", "repeats", "seconds", "timeout")
    plan = Plan(**{name: getattr(args, name) for name in options})
    machine_facts = facts(plan)
    results = run(plan, lambda so_far: publish(args, machine_facts, so_far))
    print(tables(machine_facts, results), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
