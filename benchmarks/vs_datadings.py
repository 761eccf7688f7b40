"""Compare ddfast with datadings on three synthetic datasets in a warm page cache.

Each side has a separate process for each job and dataset, as in a training program, so that other jobs do not affect
its memory. The sides take turns. Prints medians of five turns, with the lowest and the highest, as a Markdown table.

Example:
  python benchmarks/vs_datadings.py --data /tmp/ddfast-data --json result.json --plot docs/vs_datadings.png
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import datadings.reader
import numpy as np
from collating import collate
from commands import COMMANDS, SMALL, Command, command_rates
from datadings.reader import MsgpackReader as DatadingsReader
from datasets import DATASETS, add_data_argument, ensure
from measure import Spread, Stopwatch, interleaved, machine, machine_line, ratios, raw_rate, warm

import ddfast.reader
from ddfast import AsyncReader, MsgpackReader

BATCH = 256
RAW_TARGET = 0.85


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One job of both sides.

    Parameters:
        name: short name.
        title: name in tables and plots.
        targets: required ratio to datadings, for each of `DATASETS`.
        ddfast: measures ddfast, given path and seconds; returns samples per second.
        datadings: the same for datadings.
    """

    name: str
    title: str
    targets: tuple[float, float, float]
    ddfast: Callable[[Path, float], float]
    datadings: Callable[[Path, float], float]


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """Samples per second of both sides in one job on one dataset, and their ratio."""

    job: str
    dataset: str
    ddfast: Spread
    datadings: Spread
    ratio: Spread
    target: float
    share_of_raw: Spread | None = None
    raw: Spread | None = None


def collated(reader: DatadingsReader) -> Iterator[dict[str, Any]]:
    """Batches of datadings samples as columns."""
    samples = iter(reader)
    while batch := list(islice(samples, BATCH)):
        yield collate(batch)


def datadings_batches(path: Path, seconds: float) -> float:
    with DatadingsReader(path) as reader:
        watch = Stopwatch(seconds)
        while True:
            for batch in collated(reader):
                if not watch.more(len(batch["key"])):
                    return watch.rate()


def ddfast_batches(path: Path, seconds: float) -> float:
    return asyncio.run(_ddfast_batches(path, seconds))


async def _ddfast_batches(path: Path, seconds: float) -> float:
    watch = Stopwatch(seconds)
    async with AsyncReader(path) as reader:
        while watch.more(0):
            async for batch in reader.batches(BATCH):
                for name in batch.columns:
                    batch[name]
                watch.more(len(batch))
    return watch.rate()


@cache
def opened(reader_class: Callable[[Path], Any], path: Path) -> Any:
    """A reader that stays open from turn to turn, as it does in a training job."""
    return reader_class(path)


def one_by_one(reader_class: Callable[[Path], Any]) -> Callable[[Path, float], float]:
    """Measures ``for sample in reader``."""

    def measure(path: Path, seconds: float) -> float:
        reader = opened(reader_class, path)
        watch = Stopwatch(seconds)
        while True:
            samples = reader.iter(0)
            for left in range(len(reader), 0, -BATCH):
                for _ in islice(samples, BATCH):
                    pass
                if not watch.more(min(left, BATCH)):
                    return watch.rate()

    return measure


def random_blocks(n: int, seed: int = 0) -> Iterator[list[int]]:
    """Blocks of random indices, endlessly."""
    blocks = np.random.default_rng(seed).integers(0, n, (256, BATCH)).tolist()
    return cycle(blocks)


def random_gets(reader_class: Callable[[Path], Any]) -> Callable[[Path, float], float]:
    """Measures ``get(i)`` at random indices."""

    def measure(path: Path, seconds: float) -> float:
        reader = opened(reader_class, path)
        get = reader.get
        blocks = random_blocks(len(reader))
        watch = Stopwatch(seconds)
        while watch.more(0):
            for i in next(blocks):
                get(i)
            watch.count += BATCH
        return watch.rate()

    return measure


def ddfast_get_many(path: Path, seconds: float) -> float:
    reader = opened(MsgpackReader, path)
    blocks = random_blocks(len(reader))
    watch = Stopwatch(seconds)
    while watch.more(0):
        batch = reader.get_many(next(blocks))
        for name in batch.columns:
            batch[name]
        watch.count += BATCH
    return watch.rate()


def epochs(
    augment: Callable[[Any], Any], reader_class: Callable[[Path], Any]
) -> Callable[[Path, float], float]:
    """Measures ``for sample in augment(reader)``, whole passes."""

    def measure(path: Path, seconds: float) -> float:
        reader = opened(reader_class, path)
        samples = augment(reader)
        watch = Stopwatch(seconds)
        while True:
            for _ in samples:
                pass
            if not watch.more(len(reader)):
                return watch.rate()

    return measure


JOBS = (
    Job("batches", "batches(256), columns", (3, 5, 30), ddfast_batches, datadings_batches),
    Job(
        "samples", "for sample in reader", (1.5, 2, 3), one_by_one(MsgpackReader), one_by_one(DatadingsReader)
    ),
    Job("get", "get(i), random", (1.5, 1.7, 2.3), random_gets(MsgpackReader), random_gets(DatadingsReader)),
    Job("get_many", "get_many(256 random)", (2, 5, 20), ddfast_get_many, random_gets(DatadingsReader)),
    Job(
        "shuffler",
        "shuffled epoch (Shuffler)",
        (2, 3, 4),
        epochs(ddfast.reader.Shuffler, MsgpackReader),
        epochs(datadings.reader.Shuffler, DatadingsReader),
    ),
    Job(
        "quasishuffler",
        "QuasiShuffler epoch",
        (1.3, 2, 3),
        epochs(ddfast.reader.QuasiShuffler, MsgpackReader),
        epochs(datadings.reader.QuasiShuffler, DatadingsReader),
    ),
)


def check_same_work(path: Path) -> None:
    """Check that both sides return the same batch; otherwise their rates cannot be compared."""
    with DatadingsReader(path) as theirs, MsgpackReader(path) as ours:
        expected = next(collated(theirs))
        batch = next(iter(ours.batches(BATCH)))
        assert set(batch.columns) == set(expected)
        for name, values in expected.items():
            if isinstance(values, np.ndarray):
                np.testing.assert_array_equal(batch[name], values)
            else:
                assert [_plain(value) for value in batch[name]] == values


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def run_side(name: str, side: str, path: Path, seconds: float) -> float:
    """Samples per second of one side of a job, in a separate process."""
    job = next(job for job in JOBS if job.name == name)
    rate: float = getattr(job, side)(path, seconds)
    return rate


def in_process(stack: ExitStack) -> Callable[..., float]:
    """A function that calls others in one new process, which ends with the exit stack."""
    pool = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
    return lambda *call: pool.submit(*call).result()


def measure(job: Job, position: int, path: Path, repeats: int, seconds: float) -> Result:
    """Measure both sides of a job, and for batches the raw rate in the same turns."""
    dataset = DATASETS[position]
    mean = path.stat().st_size / dataset.n
    with ExitStack() as stack:
        sides = {
            side: partial(in_process(stack), run_side, job.name, side, path, seconds)
            for side in ("datadings", "ddfast")
        }
        if job.name == "batches":
            raw = partial(in_process(stack), raw_rate, path, int(BATCH * mean), seconds)
            sides["raw"] = lambda: raw() / mean
        rates = interleaved(sides, repeats, f"{dataset.title}: {job.title}")
    return Result(
        job=job.name,
        dataset=dataset.name,
        ddfast=Spread.of(rates["ddfast"]),
        datadings=Spread.of(rates["datadings"]),
        ratio=ratios(rates["ddfast"], rates["datadings"]),
        target=job.targets[position],
        share_of_raw=ratios(rates["ddfast"], rates["raw"]) if "raw" in rates else None,
        raw=Spread.of(rates["raw"]) if "raw" in rates else None,
    )


def measure_command(command: Command, path: Path, repeats: int) -> Result:
    """Measure both sides of a command."""
    rates = command_rates(command, path, repeats)
    return Result(
        job=command.name,
        dataset=SMALL.name,
        ddfast=Spread.of(rates["ddfast"]),
        datadings=Spread.of(rates["datadings"]),
        ratio=ratios(rates["ddfast"], rates["datadings"]),
        target=command.target,
    )


def table(results: list[Result]) -> str:
    """The results as a Markdown table."""
    jobs = {job.name: job.title for job in (*JOBS, *COMMANDS)}
    datasets = {dataset.name: dataset.title for dataset in DATASETS}
    lines = [
        "| job | dataset | datadings, samples/s | ddfast, samples/s | times as fast | target | of preadv |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        share = f"{result.share_of_raw:.2f}" if result.share_of_raw else ""
        lines.append(
            f"| {jobs[result.job]} | {datasets[result.dataset]} | {result.datadings.median:,.0f}"
            f" | {result.ddfast.median:,.0f} | {result.ratio:.2f} | {result.target:g} | {share} |"
        )
    return "\n".join(lines)


def missed(results: list[Result]) -> list[str]:
    """The results that are below their targets."""
    lines = [
        f"{result.job} on {result.dataset}: {result.ratio.median:.2f} times as fast, wanted {result.target:g}"
        for result in results
        if result.ratio.median < result.target
    ]
    first = DATASETS[0].name
    return lines + [
        f"{result.job} on {first}: {result.share_of_raw.median:.2f} of raw preadv, wanted {RAW_TARGET}"
        for result in results
        if result.share_of_raw and result.dataset == first and result.share_of_raw.median < RAW_TARGET
    ]


def run(args: argparse.Namespace) -> list[Result]:
    """Measure the jobs that the options select."""
    results = []
    for position, dataset in enumerate(DATASETS):
        path = ensure(dataset, args.data)
        warm(path)
        check_same_work(path)
        for job in JOBS:
            if job.name in args.jobs:
                results.append(measure(job, position, path, args.repeats, args.seconds))
    results.sort(key=lambda result: [job.name for job in JOBS].index(result.job))
    path = ensure(SMALL, args.data)
    return results + [
        measure_command(command, path, args.repeats) for command in COMMANDS if command.name in args.jobs
    ]


def main() -> None:
    """Measure, print, and write the requested files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    names = [job.name for job in (*JOBS, *COMMANDS)]
    parser.add_argument(
        "--jobs", nargs="+", choices=names, default=names, help="jobs to measure (default: all)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="number of turns (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="duration of one measurement (default: 1)")
    parser.add_argument("--quick", action="store_true", help="trial run with three turns of 0.3 s")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    parser.add_argument("--plot", type=Path, help="draw the ratios into this file")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.seconds = 3, 0.3
    results = run(args)
    facts = machine()
    print(f"{table(results)}\n\n{machine_line(facts)}; medians of {args.repeats} (lowest to highest)")
    for line in missed(results):
        print(f"below target: {line}")
    if args.json:
        document = {"machine": facts, "results": [dataclasses.asdict(result) for result in results]}
        args.json.write_text(json.dumps(document, indent=2) + "\n")
    if args.plot:
        from plot import plot_ratios

        plot_ratios(args.plot, JOBS, DATASETS, results, machine_line(facts))


if __name__ == "__main__":
    main()
