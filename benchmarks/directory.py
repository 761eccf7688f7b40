"""Compare the start-up of DirectoryReader on many small files with datadings.

The pattern is ``folder/{LABEL}/**``; files are in 1000 folders. Both sides run in turns in one process, on a tree that
the system has cached. Prints medians as a Markdown table.

Example:
  python benchmarks/directory.py --data /tmp/ddfast-data --files 100000 --json directory.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import datadings.reader
from datasets import add_data_argument
from measure import Spread, interleaved, machine, machine_line, ratios

import ddfast.reader

FOLDERS = 1000
READERS = {"datadings": datadings.reader.DirectoryReader, "ddfast": ddfast.reader.DirectoryReader}
PATTERNS = {
    "start": {},
    "start, `include` and `exclude`": {"include": ["*.jpg", "*.png"], "exclude": ["*/thumbs/*", "*9.jpg"]},
}


def ensure_tree(folder: Path, files: int) -> Path:
    """A folder with that many files in nested folders; made first if it does not exist."""
    top = folder / f"tree-{files}"
    done = folder / f"tree-{files}.done"
    if not done.exists():
        for i in range(FOLDERS):
            below = top / f"n{i // 2:08d}" / "ab"[i % 2]
            below.mkdir(parents=True, exist_ok=True)
            for j in range(i, files, FOLDERS):
                (below / f"{j:08d}.jpg").write_bytes(b"%d" % j)
        done.touch()
    return top


def side(package: str, pattern: str, options: dict[str, list[str]]) -> Callable[[], float]:
    """Start-ups per second of one package's reader, measured once."""

    def start() -> float:
        started = time.perf_counter()
        READERS[package](pattern, **options)
        return 1 / (time.perf_counter() - started)

    return start


def assert_same(pattern: str, options: dict[str, list[str]]) -> None:
    """Fail unless both packages find the same files in the same order."""
    ours, theirs = (READERS[package](pattern, **options) for package in ("ddfast", "datadings"))
    assert len(ours) == len(theirs)
    assert all(ours.find_key(i) == theirs.find_key(i) for i in range(len(ours)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument("--files", type=int, default=100_000, help="number of files (default: 100000)")
    parser.add_argument("--repeats", type=int, default=5, help="number of turns (default: 5)")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    args = parser.parse_args()
    pattern = f"{ensure_tree(args.data, args.files)}/{{LABEL}}/**"
    results = {}
    print(f"| DirectoryReader, {args.files:,} files | datadings, s | ddfast, s | ratio |\n|---|--:|--:|--:|")
    for title, options in PATTERNS.items():
        assert_same(pattern, options)
        sides = {package: side(package, pattern, options) for package in READERS}
        rates = interleaved(sides, args.repeats, title)
        seconds = {package: [1 / rate for rate in rates[package]] for package in READERS}
        results[title] = seconds
        ratio = ratios(rates["ddfast"], rates["datadings"])
        figures = " | ".join(f"{Spread.of(seconds[package]):.2f}" for package in READERS)
        print(f"| {title} | {figures} | {ratio:.1f} |")
    print(f"\n{machine_line(machine())}; medians of {args.repeats} (lowest to highest)")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "seconds": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
