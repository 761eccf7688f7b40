"""Compare opening a dataset of 1,000,000 samples, and the first ``key in reader``, with datadings.

Every measurement runs in a new process. Prints medians as a Markdown table.

Example:
  python benchmarks/opening.py --data /tmp/ddfast-data --json opening.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

from datasets import MILLION, add_data_argument, ensure
from measure import Spread, machine, machine_line
from memory import resident_bytes

FIGURES = {
    "open_ms": "open, ms",
    "contains_ms": "first `key in reader`, ms",
    "bytes_per_key": "memory for it, bytes a key",
}


def probe(package: str, path: str, key: str) -> dict[str, float]:
    """Open the dataset with ``package`` and look up a key, in this process."""
    reader_class = importlib.import_module(f"{package}.reader").MsgpackReader
    started = time.perf_counter()
    reader = reader_class(path)
    opened = time.perf_counter()
    before = resident_bytes()
    asked = time.perf_counter()
    assert key in reader
    answered = time.perf_counter()
    return {
        "open_ms": (opened - started) * 1e3,
        "contains_ms": (answered - asked) * 1e3,
        "bytes_per_key": (resident_bytes() - before) / len(reader),
    }


def fresh(package: str, path: Path, key: str) -> dict[str, float]:
    """`probe` in a new process."""
    command = [sys.executable, __file__, "--probe", package, str(path), key]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument(
        "--repeats", type=int, default=5, help="number of processes for each side (default: 5)"
    )
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    parser.add_argument("--probe", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.probe:
        print(json.dumps(probe(*args.probe)))
        return
    path = ensure(MILLION, args.data)
    key = list(MILLION.samples(1000))[-1]["key"]
    packages = ("datadings", "ddfast")
    runs: dict[str, list[dict[str, float]]] = {package: [] for package in packages}
    for _ in range(args.repeats):
        for package in packages:
            runs[package].append(fresh(package, path, key))
    spreads = {
        package: {name: Spread.of([run[name] for run in runs[package]]) for name in FIGURES}
        for package in packages
    }
    print("| 1,000,000 samples | datadings | ddfast |\n|---|--:|--:|")
    for name, title in FIGURES.items():
        print(f"| {title} | {spreads['datadings'][name]:.2f} | {spreads['ddfast'][name]:.2f} |")
    print(f"\n{machine_line(machine())}; medians of {args.repeats} (lowest to highest)")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
