"""Compare writing with datadings, and with a buffered write of the packed samples and their MD5.

All three write the same samples from memory, one at a time, into a new folder, in turns in one process. Only ddfast
waits until its files are safe on the disk; its journal and index are included in its time. Prints medians as a Markdown
table.

Example:
  taskset -c 0,1 python benchmarks/writing.py --data /tmp/ddfast-data --json writing.json
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import datadings.writer
from cli import add_choice, positive, write_json
from datasets import DATASETS, Dataset, Sample, add_data_argument
from measure import Spread, interleaved, machine, machine_line, ratios

import ddfast.writer
from ddfast.tools.msgpack import make_packer

MOST_BYTES = 256_000_000
COUNTS = (1_000, 10_000, 100_000, 500_000)
HEAD = 1_000  # samples from which the mean size is computed

Write = Callable[[Path, Sequence[Sample]], None]


def with_ddfast(path: Path, samples: Sequence[Sample]) -> None:
    """Write a dataset with ddfast."""
    with ddfast.writer.FileWriter(path, disable=True) as writer:
        for sample in samples:
            writer.write(sample)


def with_datadings(path: Path, samples: Sequence[Sample]) -> None:
    """Write a dataset with datadings."""
    with datadings.writer.FileWriter(path, disable=True) as writer:
        for sample in samples:
            writer.write(sample)


def plainly(path: Path, samples: Sequence[Sample]) -> None:
    """Write only the messages of a dataset and their MD5."""
    pack, digest = make_packer().pack, hashlib.md5(usedforsecurity=False)
    with path.open("wb", buffering=1 << 20) as file:
        for sample in samples:
            message = pack(sample)
            digest.update(message)
            file.write(message)
    path.with_suffix(".md5").write_text(f"{digest.hexdigest()}  {path.name}\n")


SIDES: dict[str, Write] = {"ddfast": with_ddfast, "datadings": with_datadings, "write and MD5": plainly}


def counts(dataset: Dataset) -> list[int]:
    """Numbers of samples to write: as many as fit, and steps up to there."""
    size = sum(map(len, map(make_packer().pack, islice(dataset.samples(dataset.n), HEAD)))) // HEAD
    most = min(dataset.n, MOST_BYTES // size)
    return [*(count for count in COUNTS if count < most), most]


def side(write: Write, samples: Sequence[Sample], folder: Path) -> Callable[[], float]:
    """Samples a second of one way to write."""

    def rate() -> float:
        with tempfile.TemporaryDirectory(dir=folder, prefix="writing-") as target:
            gc.collect()
            started = time.perf_counter()
            write(Path(target) / "data.msgpack", samples)
            return len(samples) / (time.perf_counter() - started)

    return rate


def measure(dataset: Dataset, folder: Path, repeats: int) -> dict[int, dict[str, list[float]]]:
    """Rates of all sides, by number of samples."""
    steps = counts(dataset)
    samples = list(dataset.samples(steps[-1]))
    rates = {}
    for count in steps:
        sides = {name: side(write, samples[:count], folder) for name, write in SIDES.items()}
        for first in sides.values():
            first()  # imports what it needs
        rates[count] = interleaved(sides, repeats, f"{dataset.title}, {count:,}")
    return rates


def row(title: str, count: int, rates: dict[str, list[float]]) -> str:
    """A line of the table."""
    ours = rates["ddfast"]
    figures = [f"{Spread.of(rates[name]).median:,.0f}" for name in SIDES]
    figures += [f"{ratios(ours, rates[name]):.2f}" for name in SIDES if name != "ddfast"]
    return f"| {title}, {count:,} samples | {' | '.join(figures)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    add_choice(parser, "--datasets", [dataset.name for dataset in DATASETS], "datasets")
    parser.add_argument("--repeats", type=positive(int), default=7, help="number of turns (default: 7)")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    args = parser.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    heads = [*(f"{name}, samples/s" for name in SIDES), "to datadings", "to write and MD5"]
    print(f"| writing | {' | '.join(heads)} |\n|---|{'--:|' * len(heads)}")
    results = {}
    for dataset in DATASETS:
        if dataset.name in args.datasets:
            results[dataset.name] = measure(dataset, args.data, args.repeats)
            for count, rates in results[dataset.name].items():
                print(row(dataset.title, count, rates), flush=True)
    print(f"\n{machine_line(machine())}; medians of {args.repeats} turns, ratios with lowest and highest")
    write_json(args.json, {"machine": machine(), "samples_per_second": results})


if __name__ == "__main__":
    main()
