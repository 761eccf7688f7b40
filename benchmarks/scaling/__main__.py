"""Measure how ddfast scales with the size of batches, samples and datasets, and with the number of shards.

Every point is measured in fresh processes, on one processor and on two, with the files in the page cache: reading
batches of columns in order and at random, memory above the start, opening, and looking keys up. Sweeps take turns.
Prints medians; docs/scaling.md explains them. Run the command from the root of the repository. The datasets take
3 GB of disk and are kept.

Example:
  python -m benchmarks.scaling --data /tmp/ddfast-data --json scaling.json --plot docs/scaling.png
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.cli import add_choice, positive, write_json
from benchmarks.datasets import add_data_argument
from benchmarks.measure import machine, machine_line, warm
from benchmarks.peers.team import environment
from benchmarks.scaling.report import document, tables
from benchmarks.scaling.sweeps import SWEEPS, Point, Sweep

TIMEOUT = 300.0


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [sweep.name for sweep in SWEEPS]
    add_choice(parser, "--sweeps", names, f"sweeps to run: {', '.join(names)}")
    add_data_argument(parser)
    parser.add_argument(
        "--most", type=positive(int), help="leave out points with larger values (default: no limit)"
    )
    parser.add_argument("--repeats", type=positive(int), default=5, help="processes per point (default: 5)")
    parser.add_argument(
        "--seconds", type=positive(float), default=0.5, help="duration of one measurement (default: 0.5)"
    )
    parser.add_argument(
        "--processors",
        type=positive(int),
        nargs="+",
        default=[1, 2],
        help="numbers of processors to measure with (default: 1 2)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures into this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables into this file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the plot into this file")
    return parser


def chosen(args: argparse.Namespace) -> Iterator[tuple[Sweep, Point]]:
    """The points that the options select."""
    for sweep in SWEEPS:
        for point in sweep.points:
            if sweep.name in args.sweeps and (args.most is None or point.x <= args.most):
                yield sweep, point


def measured(
    files: Sequence[Path], point: Point, processors: Sequence[int], seconds: float
) -> dict[str, float]:
    """The figures of one point, from a new process."""
    request = {
        "files": [str(path.resolve()) for path in files],
        "sharded": point.sharded,
        "batch": point.batch,
        "seconds": seconds,
        "processors": list(processors),
    }
    command = [sys.executable, "-m", "benchmarks.scaling.probe", json.dumps(request)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment(), timeout=TIMEOUT)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def points(args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row without figures for each point and number of processors; its dataset is written if it does not exist."""
    rows = []
    for sweep, point in tqdm(list(chosen(args)), desc="datasets", leave=False, disable=None):
        files = point.files(args.data)
        size = sum(path.stat().st_size for path in files)
        for count in args.processors:
            what = {"sweep": sweep.name, "x": point.x, "batch": point.batch, "processors": count}
            rows.append({**what, "bytes": size, "files": files, "point": point, "runs": []})
    return rows


def run(args: argparse.Namespace, done: Callable[[list[dict[str, Any]]], None]) -> list[dict[str, Any]]:
    """The rows with the figures of all processes; ``done`` is called with them after each turn."""
    allowed = sorted(os.sched_getaffinity(0))
    rows = points(args)
    for turn in range(1, args.repeats + 1):
        started = time.perf_counter()
        for row in tqdm(rows, desc=f"turn {turn}", leave=False, disable=None):
            for path in row["files"]:
                for file in path.parent.glob(f"{path.name}*"):  # its index, too
                    warm(file)
            figures = measured(row["files"], row["point"], allowed[: row["processors"]], args.seconds)
            row["samples"] = int(figures.pop("samples"))
            row["runs"].append(figures)
        took = time.perf_counter() - started
        tqdm.write(f"turn {turn} of {args.repeats} done ({took:.0f} s)", file=sys.stderr)
        done(plain(rows))
    return plain(rows)


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are shown."""
    return [{name: row[name] for name in row if name not in ("files", "point")} for row in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the requested files."""
    args = parser().parse_args(arguments)
    if max(args.processors) > len(os.sched_getaffinity(0)):
        raise SystemExit(f"--processors {max(args.processors)}: there are {len(os.sched_getaffinity(0))}")
    facts = {**machine(), "load_before": os.getloadavg()[0], "repeats": args.repeats, "seconds": args.seconds}
    rows = run(args, lambda so_far: write_json(args.json, document(facts, so_far)))
    text = tables(facts, rows)
    print(text, end="")
    if args.markdown:
        args.markdown.write_text(text)
    if args.plot:
        from benchmarks.scaling.plot import plot

        plot(args.plot, rows, machine_line(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
