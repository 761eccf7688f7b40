"""Measure how fast a dataset is read, compared with plain reads.

Without FILE, the command first writes a demo dataset (20,000 samples, 330 MB) to a temporary
folder. It reads the file once to warm the page cache. Then it reads the file with plain preadv
(one thread, batch-sized reads into one page-aligned buffer), with ddfast, and with preadv again.
The last line of the result is the rate of ddfast as a share of the rate of preadv.

FILE may also be a ZIP file or a pattern of files, which ZipFileReader or DirectoryReader read in
blocking mode. The command reads all files once to warm the page cache and to count their bytes,
and does not compare with plain reads.

A URL is read over the network. The result has counters of the requests instead of plain reads.

Examples:
  ddfast bench train.msgpack --shuffle --batch-size 128 --columns image,label --plot rate.png
  ddfast bench 'photos/{LABEL}/**' --include '*.jpg' --shuffle
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ddfast import MsgpackReader
from ddfast.commands import _run
from ddfast.commands._demo import write_demo
from ddfast.commands._measure import Job, Meter, Timing, measure, preadv_rate, progress, uses_uvloop
from ddfast.commands._options import names, positive, seconds, size
from ddfast.commands._places import add_storage_arguments, storage_options
from ddfast.commands._plot import require_matplotlib
from ddfast.commands._result import Result, draw, report
from ddfast.commands._sources import FileOptions, is_dataset, open_files
from ddfast.errors import TooManyFieldsError
from ddfast.storage import SequentialReader, is_url
from ddfast.storage.urls import shown

RAW_SECONDS = 1.0


def bench(job: Job, show: bool = True) -> Result:
    """Measure a job, and plain reads of the same file.

    Parameters:
        job: what to read and how.
        show: show progress bars, if stderr is a terminal.

    Raises:
        DdfastError: the dataset is missing or damaged.
        OSError: a file cannot be read.
    """
    if job.files is not None:
        return _bench_files(job, job.files, show)
    path = Path(job.path)
    if isinstance(job.path, str):
        return _bench_url(job, job.path, show)
    with MsgpackReader(path) as reader:
        file_samples = len(reader)
    file_bytes = path.stat().st_size
    read_bytes = max(1, job.batch_size * file_bytes // max(1, file_samples))

    def raw(desc: str, epochs: int | None = None, seconds: float | None = None) -> Timing:
        with progress(desc, file_bytes, "B", show) as bar:
            return preadv_rate(path, read_bytes, Meter(bar, epochs, seconds))

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


def _bench_url(job: Job, url: str, show: bool) -> Result:
    """Measure a job on a dataset under a URL."""
    options = job.storage_options or {}
    with MsgpackReader(url, storage_options=options) as reader, SequentialReader(url, **options) as front:
        samples, size = len(reader), front.size
    loop = "" if job.blocking else "uvloop" if uses_uvloop(job) else "asyncio"
    return Result(job, size, samples, measure(job, show), Timing(0, 0.0, 0.0, 0.0), loop)


def _bench_files(job: Job, options: FileOptions, show: bool) -> Result:
    """Measure a job on files, after reading them once to count their bytes."""
    with (
        open_files(Path(job.path), options) as reader,
        progress("warm the page cache", len(reader), "", show) as bar,
    ):
        file_bytes = 0
        for sample in reader.rawiter():
            file_bytes += len(sample)
            bar.update(1)
        samples = len(reader)
    return Result(job, file_bytes, samples, measure(job, show), Timing(0, 0.0, 0.0, 0.0), "")


def physical_memory() -> int:
    """Memory of this machine in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add(
        "file",
        metavar="FILE",
        nargs="?",
        help="dataset (path or URL), ZIP file, or pattern of files (default: a demo dataset)",
    )
    add("-r", "--raw", action="store_true", help="do not decode samples")
    add("-s", "--shuffle", action="store_true", help="read in shuffled order")
    add("-b", "--buffering", type=size, default=0, help="buffer size of the blocking reader (default: 0)")
    add("--samples", action="store_true", help="read samples one by one instead of batches")
    add("--batch-size", type=positive, default=256, metavar="N", help="samples per batch (default: 256)")
    add("--columns", type=names, metavar="A,B", help="read only these columns (default: all)")
    face = parser.add_mutually_exclusive_group()
    parser.set_defaults(blocking=False)
    face.add_argument("--async", dest="blocking", action="store_false", help="use AsyncReader (default)")
    face.add_argument("--sync", dest="blocking", action="store_true", help="use MsgpackReader")
    add(
        "--queue-depth",
        type=positive,
        metavar="N",
        help="maximum number of reads in flight (default: chosen by the reader)",
    )
    add(
        "--io",
        choices=("auto", "threads", "uring", "direct"),
        default="auto",
        help="how to read: with threads, with io_uring, or with threads that bypass the page cache (default: auto)",
    )
    add(
        "--prefetch-bytes",
        type=size,
        default=256 << 20,
        metavar="SIZE",
        help="memory for batches that are fetched ahead (default: 256MiB)",
    )
    add(
        "--epochs",
        type=positive,
        metavar="N",
        help="number of passes (default: as many as fit into 2 seconds, at least 1)",
    )
    add("--seconds", type=seconds, metavar="S", help="stop after this many seconds, even within a pass")
    add_storage_arguments(parser)
    add("--cache", type=Path, metavar="DIR", help="folder for the block cache, for URLs")
    add("--cache-bytes", type=size, metavar="SIZE", help="maximum size of the block cache")
    files = parser.add_argument_group("folders and ZIP files")
    files.add_argument("--separator", default="\t", help="column separator in a list of files (default: tab)")
    files.add_argument(
        "--root-dir", default="", metavar="DIR", help="folder that paths in a list of files are relative to"
    )
    files.add_argument("--include", nargs="+", default=(), metavar="PATTERN", help="files to read")
    files.add_argument("--exclude", nargs="+", default=(), metavar="PATTERN", help="files to skip")
    add("--json", action="store_true", help="print the result as JSON")
    add("--plot", type=Path, metavar="PNG", help="write a plot of the rates to this file (needs matplotlib)")


def job_of(args: argparse.Namespace, path: Path | str) -> Job:
    """The job for the arguments."""
    if args.columns and (args.raw or args.samples):
        raise ValueError(
            "--columns cannot be combined with --raw or --samples, because it selects decoded columns of batches"
        )
    fields = {field.name for field in dataclasses.fields(Job)} - {"path"}
    job = Job(path, **{name: value for name, value in vars(args).items() if name in fields})
    if isinstance(path, str):
        return dataclasses.replace(job, storage_options=storage_options(args))
    if args.file is None or is_dataset(path):
        return job
    files = FileOptions(args.separator, args.root_dir, tuple(args.include), tuple(args.exclude))
    return dataclasses.replace(job, files=files, blocking=True)


@contextmanager
def _advising(job: Job) -> Iterator[None]:
    """Name the options of this command in the error of a batch with too many columns."""
    try:
        yield
    except TooManyFieldsError as error:
        path = shown(job.path) if isinstance(job.path, str) else job.path
        raise TooManyFieldsError(
            f"{path} has more different field names in a batch than columns are possible. Measure with --samples or "
            "--raw, choose some with --columns, or use a smaller --batch-size"
        ) from error


def main(args: argparse.Namespace) -> int:
    """Measure and print the result. Returns the exit code."""
    if args.plot:
        require_matplotlib()
    name = args.file or "demo.msgpack"
    job = job_of(args, name if is_url(name) else Path(name))
    with ExitStack() as stack:
        stack.enter_context(_advising(job))
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
