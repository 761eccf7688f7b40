"""Measure how fast a dataset is read, and how close that is to the speed of plain reads.

Without FILE a demo dataset (20,000 samples, 330 MB) is written to a temporary folder first.
The file is read once to warm the page cache. Then it is read with one thread and plain preadv
(batch-sized reads into one page-aligned buffer), by ddfast, and with preadv again; the last
line of the result is the rate of ddfast as a share of the rate of preadv.

Example:
  ddfast bench train.msgpack --shuffle --batch-size 128 --columns image,label --plot rate.png
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ddfast import MsgpackReader
from ddfast.commands import _run
from ddfast.commands._demo import write_demo
from ddfast.commands._measure import Job, Meter, Timing, measure, preadv_rate, progress, uses_uvloop
from ddfast.commands._plot import plot_rates, require_matplotlib

MB = 1e6
GB = 1e9
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
RAW_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One run of the benchmark.

    Parameters:
        job: what was read and how.
        file_bytes: size of the data file.
        file_samples: samples in the data file.
        run: counts samples.
        raw: counts bytes of plain preadv on the same file, before and after the run.
        loop: event loop of the run; empty for a blocking one.
    """

    job: Job
    file_bytes: int
    file_samples: int
    run: Timing
    raw: Timing
    loop: str

    @property
    def bytes(self) -> float:
        """Bytes of the data file behind the samples that were read."""
        return self.run.count * self.file_bytes / max(1, self.file_samples)

    def figures(self) -> dict[str, float]:
        """The measured figures by name."""
        rate = self.bytes / self.run.seconds
        return {
            "samples_per_second": self.run.rate,
            "mb_per_second": rate / MB,
            "cpu_seconds_per_gb": self.run.cpu_seconds / max(1.0, self.bytes) * GB,
            "first_seconds": self.run.first_seconds,
            "raw_mb_per_second": self.raw.rate / MB,
            "raw_cpu_seconds_per_gb": self.raw.cpu_seconds / max(1, self.raw.count) * GB,
            "share_of_raw": rate / self.raw.rate if self.raw.count else 0.0,
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "job": {**dataclasses.asdict(self.job), "path": str(self.job.path)},
            "file_bytes": self.file_bytes,
            "file_samples": self.file_samples,
            "samples": self.run.count,
            "seconds": self.run.seconds,
            "loop": self.loop,
            **self.figures(),
        }


def bench(job: Job, show: bool = True) -> Result:
    """Measure a job beside plain reads of the same file.

    Parameters:
        job: what to read and how.
        show: draw progress bars, if stderr is a terminal.

    Raises:
        DdfastError: the dataset is missing or damaged.
    """
    with MsgpackReader(job.path) as reader:
        file_samples = len(reader)
    file_bytes = job.path.stat().st_size
    read_bytes = max(1, job.batch_size * file_bytes // max(1, file_samples))

    def raw(desc: str, epochs: int | None = None, seconds: float | None = None) -> Timing:
        with progress(desc, file_bytes, "B", show) as bar:
            return preadv_rate(job.path, read_bytes, Meter(bar, epochs, seconds))

    if file_bytes < physical_memory():
        raw("warm the page cache", epochs=1)
    before = raw("plain preadv", seconds=RAW_SECONDS)
    run = measure(job, show)
    after = raw("plain preadv", seconds=RAW_SECONDS)
    both = Timing(
        before.count + after.count,
        before.seconds + after.seconds,
        before.cpu_seconds + after.cpu_seconds,
        before.first_seconds,
    )
    loop = "" if job.blocking else "uvloop" if uses_uvloop(job) else "asyncio"
    return Result(job, file_bytes, file_samples, run, both, loop)


def physical_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def report(result: Result) -> str:
    """The result for people."""
    figures = result.figures()
    first = "sample" if result.job.samples else "batch"
    on = f" on {result.loop}" if result.loop else ""
    rows = [
        ("samples/s", f"{figures['samples_per_second']:,.0f}"),
        ("MB/s", f"{figures['mb_per_second']:,.0f}"),
        ("CPU seconds per GB", f"{figures['cpu_seconds_per_gb']:.3f}"),
        (f"first {first} after", f"{figures['first_seconds'] * 1e3:.1f} ms"),
        ("plain preadv, MB/s", f"{figures['raw_mb_per_second']:,.0f}"),
        ("share of plain preadv", f"{figures['share_of_raw']:.0%}"),
    ]
    mean = result.file_bytes / max(1, result.file_samples)
    lines = [
        f"{result.job.path.name}: {result.file_samples:,} samples of {mean:,.0f} bytes,"
        f" {result.file_bytes / MB:,.1f} MB",
        f"{result.job.describe()}{on}: {result.run.count:,} samples in {result.run.seconds:.2f} s",
        "",
        *(f"  {name:<22} {value:>12}" for name, value in rows),
    ]
    return "\n".join(lines)


def draw(result: Result, png: Path) -> None:
    """The result as a picture."""
    figures = result.figures()
    plot_rates(
        png,
        f"{result.job.path.name}: {figures['share_of_raw']:.0%} of the speed of plain preadv",
        f"{result.job.describe()}: {figures['samples_per_second']:,.0f} samples/s, "
        f"{figures['cpu_seconds_per_gb']:.2f} CPU seconds per GB",
        [("ddfast", figures["mb_per_second"]), ("plain preadv", figures["raw_mb_per_second"])],
        "MB/s",
    )


def size(text: str) -> int:
    """Bytes from ``64MiB``, ``1g`` or ``4096``; units are powers of 1024."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 64MiB")
    return int(float(match[1]) * UNITS[match[2]])


def positive(text: str) -> int:
    """An integer from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 1")
    return int(text)


def seconds(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def names(text: str) -> tuple[str, ...]:
    """Column names from ``a,b``."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise argparse.ArgumentTypeError("no column is named")
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("file", metavar="FILE", nargs="?", help="dataset, a .msgpack file; a demo dataset if left out")
    add("-r", "--raw", action="store_true", help="do not decode samples")
    add("-s", "--shuffle", action="store_true", help="read in a shuffled order")
    add("-b", "--buffering", type=size, default=0, help="buffer size of the blocking reader (default: 0)")
    add("--samples", action="store_true", help="take samples one by one instead of batches")
    add("--batch-size", type=positive, default=256, metavar="N", help="samples a batch (default: 256)")
    add("--columns", type=names, metavar="A,B", help="take only these columns (default: all)")
    face = parser.add_mutually_exclusive_group()
    parser.set_defaults(blocking=False)
    face.add_argument("--async", dest="blocking", action="store_false", help="use AsyncReader (the default)")
    face.add_argument("--sync", dest="blocking", action="store_true", help="use MsgpackReader")
    add("--queue-depth", type=positive, metavar="N", help="reads in flight (default: the reader's)")
    add(
        "--io",
        choices=("auto", "threads", "uring"),
        default="auto",
        help="what waits for storage: threads, or Linux's io_uring (default: auto)",
    )
    add(
        "--prefetch-bytes",
        type=size,
        default=256 << 20,
        metavar="SIZE",
        help="memory for batches in flight (default: 256MiB)",
    )
    add(
        "--epochs", type=positive, metavar="N", help="passes (default: as many as 2 seconds take, at least 1)"
    )
    add("--seconds", type=seconds, metavar="S", help="stop after this time, even inside a pass")
    add("--json", action="store_true", help="print the result as JSON")
    add("--plot", type=Path, metavar="PNG", help="draw the rates into this file (needs matplotlib)")


def job_of(args: argparse.Namespace, path: Path) -> Job:
    """The job that the options ask for."""
    if path.is_dir() or path.suffix == ".zip":
        raise ValueError(f"{path}: only .msgpack datasets can be measured, folders and ZIP files not yet")
    if args.columns and (args.raw or args.samples):
        raise ValueError("--columns selects decoded columns of batches: leave out --raw and --samples")
    fields = {field.name for field in dataclasses.fields(Job)} - {"path"}
    return Job(path, **{name: value for name, value in vars(args).items() if name in fields})


def main(args: argparse.Namespace) -> int:
    """Measure and print; returns the exit code."""
    if args.plot:
        require_matplotlib()
    job = job_of(args, Path(args.file or "demo.msgpack"))
    with ExitStack() as stack:
        if args.file is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ddfast-bench-"))
            job = dataclasses.replace(job, path=write_demo(Path(folder)))
        result = bench(job)
    print(json.dumps(result.to_dict(), indent=2) if args.json else report(result))
    if args.plot:
        draw(result, args.plot)
    return 0


def entry() -> None:
    """The console script ``ddfast-bench``."""
    sys.exit(_run.run(sys.modules[__name__], "ddfast-bench"))


if __name__ == "__main__":
    entry()
