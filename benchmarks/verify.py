"""Measure the cost of verifying samples while they are read: the same reader with and without `verify="sample"`.

Both sides take turns, so that disturbances affect both. Files are in the page cache, where no waiting hides the work.
Prints a Markdown table; the lost share of the time is 1 - 1/ratio of the times.

Example:
  python benchmarks/verify.py --data /tmp/ddfast-data --seconds 1
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from datasets import DATASETS, add_data_argument, ensure
from measure import Spread, Stopwatch, interleaved, machine, machine_line, ratios, warm
from tqdm import tqdm

from ddfast import MsgpackReader
from ddfast._native.xxh3 import checksums
from ddfast.index import SUFFIX_CHECKSUMS, load_offsets, write_checksums
from ddfast.tools import path_append

Verify = Literal["sample"]
BATCH = 256


def batches(path: Path, seconds: float, verify: Verify | None, shuffle: bool) -> float:
    """Samples a second in batches."""
    with MsgpackReader(path, verify=verify) as reader:
        watch = Stopwatch(seconds)
        while True:
            for batch in reader.batches(BATCH, shuffle=shuffle):
                if not watch.more(len(batch)):
                    return watch.rate()


def samples(path: Path, seconds: float, verify: Verify | None) -> float:
    """Samples a second, one by one."""
    with MsgpackReader(path, verify=verify) as reader:
        watch = Stopwatch(seconds)
        while True:
            for _ in reader:
                if not watch.more(1):
                    return watch.rate()


WAYS: dict[str, Callable[[Path, float, Verify | None], float]] = {
    f"batches({BATCH})": lambda path, seconds, verify: batches(path, seconds, verify, False),
    f"batches({BATCH}, shuffle=True)": lambda path, seconds, verify: batches(path, seconds, verify, True),
    "for sample in reader": samples,
}


def ensure_checksums(path: Path) -> None:
    """Write the checksums of a dataset, if it has none."""
    if path_append(path, SUFFIX_CHECKSUMS).exists():
        return
    data = np.memmap(path, np.uint8, "r")
    write_checksums(checksums(data, np.diff(load_offsets(path))), path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="duration of each measurement (default: 1)"
    )
    parser.add_argument("--repeats", type=int, default=9, help="number of turns (default: 9)")
    parser.add_argument("--only", choices=[dataset.name for dataset in DATASETS], help="one dataset")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    args = parser.parse_args()
    runs: dict[str, dict[str, list[float]]] = {}
    print("| samples | read by | samples/s | verified | cost |\n|---|---|--:|--:|--:|")
    for dataset in tqdm([d for d in DATASETS if args.only in (None, d.name)], leave=False, disable=None):
        path = ensure(dataset, args.data)
        ensure_checksums(path)
        warm(path)
        for title, way in WAYS.items():
            sides = {
                "plain": lambda: way(path, args.seconds, None),  # noqa: B023
                "verified": lambda: way(path, args.seconds, "sample"),  # noqa: B023
            }
            rates = runs[f"{dataset.name} {title}"] = interleaved(sides, args.repeats, title)
            cost = 1 - ratios(rates["verified"], rates["plain"]).median
            plain, verified = (Spread.of(rates[side]).median for side in sides)
            print(
                f"| {dataset.title} | `{title}` | {plain:,.0f} | {verified:,.0f} | {cost:.1%} |", flush=True
            )
    print(f"\n{machine_line(machine())}; medians of {args.repeats}")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
