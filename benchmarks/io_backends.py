"""Compare the ways of waiting for storage, ``io="threads"`` and ``io="uring"``, on a dataset that is not cached.

Before each run the data file is dropped from the page cache with ``posix_fadvise(POSIX_FADV_DONTNEED)``,
which needs no special rights. This drops clean pages that are not mapped, so no other process may have the file
open, and a new file is written back first. "from disk" is the number of bytes that the kernel read from the disk
for the process (``/proc/self/io``), as a share of the bytes of the samples. Much less than 100 % means that the
cache was not cold; much more means that the kernel read unneeded bytes ahead. The host of a virtual machine may
have a cache too, which this benchmark cannot empty.

The runs of all ways are interleaved; figures are medians. "plain" is one thread that reads the file from
start to end with `preadv`, 4 MiB at a time.

Example:
  python benchmarks/io_backends.py train.msgpack --runs 5 --gigabytes 1
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import mmap
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ddfast import AsyncReader

BATCH = 256
PLAIN_READ = 4 << 20


@dataclass(frozen=True)
class Way:
    """One way to read: `io`, the reads in flight, and whether to use POSIX_FADV_RANDOM."""

    io: str
    depth: int = 32
    advise: bool = False

    def __str__(self) -> str:
        return f"{self.io} {self.depth}" + (" FADV_RANDOM" if self.advise else "") if self.depth else self.io


@dataclass(frozen=True)
class Run:
    """The cost of one run: seconds, CPU seconds of all threads, bytes fetched from disk."""

    samples: int
    size: int
    seconds: float
    cpu: float
    disk: int


class Clock:
    """Measures one run, from its creation on."""

    def __init__(self) -> None:
        gc.collect()
        self.disk, self.cpu, self.started = disk_bytes(), cpu_seconds(), time.perf_counter()

    def stop(self, samples: int, size: int) -> Run:
        seconds = time.perf_counter() - self.started
        return Run(samples, size, seconds, cpu_seconds() - self.cpu, disk_bytes() - self.disk)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def disk_bytes() -> int:
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    return 0


def drop_from_cache(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def advise_random(path: Path) -> None:
    """Set POSIX_FADV_RANDOM for all open descriptors of the file in this process."""
    for link in list(Path("/proc/self/fd").iterdir()):
        if link.exists() and link.samefile(path):
            os.posix_fadvise(int(link.name), 0, 0, os.POSIX_FADV_RANDOM)


async def read_batches(path: Path, way: Way, shuffle: bool, most: int, seed: int) -> Run:
    clock = Clock()
    samples = size = 0
    async with AsyncReader(path, io=way.io, queue_depth=way.depth) as reader:  # type: ignore[arg-type]
        if way.advise:
            advise_random(path)
        async for batch in reader.batches(BATCH, shuffle=shuffle, seed=seed, raw=True):
            samples += len(batch)
            size += sum(len(batch.raw(i)) for i in range(len(batch)))
            if size >= most:
                break
    return clock.stop(samples, size)


def read_plain(path: Path, most: int) -> Run:
    clock = Clock()
    size = 0
    with path.open("rb", buffering=0) as file, mmap.mmap(-1, PLAIN_READ) as buffer:
        while size < most and (got := os.preadv(file.fileno(), [buffer], size)):
            size += got
    return clock.stop(0, size)


def jobs_of(
    path: Path, most: int, random_most: int, ways: list[Way]
) -> dict[tuple[str, str], Callable[[int], Run]]:
    jobs: dict[tuple[str, str], Callable[[int], Run]] = {}
    for way in ways:
        jobs["random", str(way)] = lambda seed, way=way: asyncio.run(
            read_batches(path, way, True, random_most, seed)
        )
    for way in ways:
        jobs["sequential", str(way)] = lambda seed, way=way: asyncio.run(
            read_batches(path, way, False, most, seed)
        )
    jobs["sequential", "plain"] = lambda _seed: read_plain(path, most)
    return jobs


def measure(
    path: Path, jobs: dict[tuple[str, str], Callable[[int], Run]], runs: int
) -> dict[tuple[str, str], list[Run]]:
    found: dict[tuple[str, str], list[Run]] = {name: [] for name in jobs}
    for seed in range(runs):
        for name, job in jobs.items():
            gc.collect()  # a reader that is still mapped keeps its pages
            drop_from_cache(path)
            found[name].append(job(seed))
    return found


def print_table(path: Path, found: dict[tuple[str, str], list[Run]]) -> None:
    print(
        f"\n{path.name}, {path.stat().st_size / 1e9:.2f} GB, medians of {len(next(iter(found.values())))}\n"
    )
    print("| order | io | samples/s | MB/s | slowest, fastest | CPU s/GB | from disk |")
    print("|---|---|---|---|---|---|---|")
    for (order, way), runs in found.items():
        rates = sorted(run.size / run.seconds / 1e6 for run in runs)
        samples = statistics.median(run.samples / run.seconds for run in runs)
        cpu = statistics.median(run.cpu / run.size * 1e9 for run in runs)
        disk = statistics.median(run.disk / run.size for run in runs)
        print(
            f"| {order} | {way} | {f'{samples:,.0f}' if samples else ''} | {statistics.median(rates):,.0f} "
            f"| {rates[0]:,.0f}, {rates[-1]:,.0f} | {cpu:.2f} | {disk:.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="datasets, .msgpack files on a local disk"
    )
    parser.add_argument("--runs", type=int, default=5, help="number of runs of each way (default: 5)")
    parser.add_argument(
        "--gigabytes", type=float, default=1.0, help="gigabytes to read in sequential runs (default: 1)"
    )
    parser.add_argument(
        "--random-gigabytes", type=float, default=0.5, help="gigabytes to read in random runs (default: 0.5)"
    )
    parser.add_argument("--depths", type=int, nargs="+", default=[32], help="reads in flight (default: 32)")
    parser.add_argument("--advise", action="store_true", help="also measure with POSIX_FADV_RANDOM")
    args = parser.parse_args()
    ways = [
        Way(io, depth, advise)
        for depth in args.depths
        for io in ("threads", "uring")
        for advise in ((False, True) if args.advise else (False,))
    ]
    for path in args.files:
        jobs = jobs_of(path, int(args.gigabytes * 1e9), int(args.random_gigabytes * 1e9), ways)
        print_table(path, measure(path, jobs, args.runs))


if __name__ == "__main__":
    main()
