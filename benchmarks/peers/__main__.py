"""Compare ddfast with other formats and loaders, on the same samples, in one run.

Each peer writes the samples in its format. The command checks that it reads the same samples back, and then measures
all peers in turns with a warm page cache. Prints a table for each dataset. docs/benchmarks.md explains the jobs,
the settings of the peers, and what is unfair. Run the command from the root of the repository;
`pip install '.[peers]'` installs the peers.

A complete run takes about an hour and up to 12 GB of disk. The JSON file is written after each job: with --resume, the
same command continues an interrupted run.

Example:
  python -m benchmarks.peers --data /tmp/ddfast-data --cores 2 --json peers.json --plot docs
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli import add_choice, positive, write_json
from benchmarks.datasets import DATASETS, add_data_argument
from benchmarks.measure import machine_line
from benchmarks.peers.jobs import JOBS
from benchmarks.peers.registry import PEERS
from benchmarks.peers.report import document, facts, joined, load, tables
from benchmarks.peers.run import Plan, Result, run


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
    parser.add_argument(
        "--gigabytes",
        type=positive(float),
        default=0.8,
        help="maximum size of each dataset, so that the files of all peers stay in the page cache (default: 0.8)",
    )
    parser.add_argument(
        "--samples", type=positive(int), help="maximum number of samples of each dataset (default: no limit)"
    )
    parser.add_argument(
        "--repeats", type=positive(int), default=5, help="number of turns of each peer (default: 5)"
    )
    parser.add_argument(
        "--seconds", type=positive(float), default=0.5, help="duration of one turn (default: 0.5)"
    )
    parser.add_argument(
        "--timeout",
        type=positive(float),
        default=120.0,
        help="seconds after which a peer that does not answer fails (default: 120)",
    )
    parser.add_argument("--cores", type=positive(int), help="use this many cores (default: all)")
    parser.add_argument("--keep", action="store_true", help="keep the files of the peers for the next run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures into this file")
    parser.add_argument("--resume", action="store_true", help="continue the run that wrote the JSON file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables into this file")
    parser.add_argument(
        "--plot", type=Path, metavar="FOLDER", help="draw peers_<dataset>.png into this folder"
    )
    return parser


def keep_to(cores: int) -> None:
    """Limit this process and its children to a number of cores."""
    allowed = sorted(os.sched_getaffinity(0))
    if cores > len(allowed):
        raise SystemExit(f"--cores is {cores}, but only {len(allowed)} are available")
    os.sched_setaffinity(0, allowed[:cores])


def publish(args: argparse.Namespace, machine_facts: dict[str, Any], results: list[Result]) -> None:
    """Print the tables, and write the requested files."""
    write_json(args.json, document(machine_facts, results))
    text = tables(machine_facts, results)
    print(text, end="")
    if args.markdown:
        args.markdown.write_text(text)
    if args.plot:
        from benchmarks.peers.plot import plot

        plot(args.plot, results, machine_line(machine_facts))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the requested files."""
    options = parser()
    args = options.parse_args(arguments)
    if args.resume and not args.json:
        options.error("--resume needs --json with the file of the earlier run")
    if args.cores:
        keep_to(args.cores)
    plan = Plan(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Plan)})
    machine_facts, before = facts(plan), []
    if args.resume and args.json.exists():
        earlier, before = load(args.json)
        machine_facts = joined(earlier, machine_facts)
    try:
        results = run(plan, before, lambda so_far: write_json(args.json, document(machine_facts, so_far)))
    except KeyboardInterrupt:
        hint = "; continue with the same command and --resume" if args.json else ""
        print(f"interrupted{hint}", file=sys.stderr)
        return 130
    publish(args, machine_facts, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
