"""Read a dataset on mounted or remote storage, and compare with the capacity of the network, plain reads and datadings.

SOURCE is a folder of a mounted file system, or the URL of a folder, that contains the dataset of 105 kB samples (if
possible, the first run writes it). The benchmark measures the following in turns, and prints medians:

- ddfast, ``batches(256)``, sequentially and truly shuffled, each pass with a reader that has read before, so that
  it has its memory and knows the storage, from the call to the last batch; all samples and their bytes are counted;
- 64 threads that only call ``preadv`` into reused buffers, for the spans of samples in random order: the speed of the
  storage (for mounts only; in 4 processes, so that Python's lock does not slow them down);
- datadings, ``MsgpackReader``, sample by sample in the same random order, for a few seconds (for mounts only).

CPU is user and system time of the whole process, per GB. Shares refer to ``--cap`` if it is given, otherwise to the
plain reads.

How to make such storage with public tools:

  a slow network                tc qdisc add dev lo root netem delay 500us rate 10gbit limit 100000
                                (the delay counts once each way; `tc qdisc del dev lo root` removes it)
  NFS on this machine           nfs-ganesha with its VFS file system, then
                                mount -t nfs4 -o nconnect=1 127.0.0.1:/export /mnt/test
  S3, HTTP on this machine      nginx with static files, or a Ceph RADOS gateway
  a slow file system            any FUSE pass-through with a delay in read() and a token bucket, such as one made of
                                libfuse's example passthrough_ll.c: serve reads with as many threads as there are
                                reads in flight, and open files with direct_io so that no page cache hides the latency
Read the file once before the benchmark, so that the server does not wait for its disk.

Example:
  python benchmarks/remote_storage.py /mnt/test --cap 1.25e9 --label "10 Gbit/s, 1 ms"
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import mmap
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DATASETS, ensure
from io_backends import Clock, Run
from measure import Spread, machine, machine_line
from tqdm import tqdm

from ddfast import AsyncReader
from ddfast.dataset.options import PREFETCH_BYTES

BATCH = 256
RAW_THREADS = 64
RAW_PROCESSES = 4
ALIGN = 4096
HUGE_PAGE = 2 << 20
WARM_UP = 2 * PREFETCH_BYTES

Job = Callable[[int], Run]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Parameters:
        name: what was measured.
        rate: MB/s.
        share: of the capacity or of the plain reads; None for the plain reads.
        cpu: seconds of user and system time per GB.
        disk: bytes that the kernel fetched from a disk, per byte read.
        goal: minimum share.
    """

    name: str
    rate: Spread
    share: Spread | None
    cpu: Spread
    disk: Spread
    goal: float | None = None


async def warm_up(reader: AsyncReader, shuffle: bool, seed: int) -> None:
    """Read until the memory of batches is allocated."""
    size = 0
    async for batch in reader.batches(BATCH, shuffle=shuffle, seed=seed):
        size += sum(map(len, batch["image"]))
        if size > WARM_UP:
            break


def read_with_ddfast(source: str, shuffle: bool, most: int, **options: Any) -> Job:
    """A pass of `batches`, up to about ``most`` bytes."""

    async def read(seed: int) -> Run:
        async with AsyncReader(source, **options) as reader:
            await warm_up(reader, shuffle, seed + 1)
            clock = Clock()
            samples = size = 0
            async for batch in reader.batches(BATCH, shuffle=shuffle, seed=seed, columns=["label", "image"]):
                samples += len(batch["label"])
                size += sum(map(len, batch["image"]))
                if size >= most:
                    break
            return clock.stop(samples, size)

    return lambda seed: asyncio.run(read(seed))


def read_with_datadings(path: Path, seconds: float) -> Job:
    """Samples one by one in random order, for some seconds."""

    def read(seed: int) -> Run:
        from datadings.reader import MsgpackReader

        with MsgpackReader(str(path)) as reader:
            order = np.random.default_rng(seed).permutation(len(reader)).tolist()
            clock = Clock()
            deadline = time.perf_counter() + seconds
            samples = size = 0
            for index in order:
                size += len(reader.get(index)["image"])
                samples += 1
                if time.perf_counter() > deadline:
                    break
            return clock.stop(samples, size)

    return read


def memory_of(size: int) -> mmap.mmap:
    """Memory to read into, with large pages if possible; it is touched before the measurement."""
    size = (
        -(-size // HUGE_PAGE) * HUGE_PAGE
    )  # Linux aligns what is made of whole large pages, and nothing else
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # large pages are rarely shared
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    memory[:] = bytes(size)
    return memory


class RawReads:
    """Threads that only call `preadv`, each into its own buffer, for spans that they share.

    Parameters:
        path: the file.
        spans: start and stop of each read.
        threads: how many.
        flags: for opening the file, in addition to O_RDONLY; with O_DIRECT, spans are extended to whole blocks.
        advice: for `posix_fadvise`.
    """

    def __init__(
        self,
        path: Path,
        spans: Sequence[tuple[int, int]],
        threads: int,
        flags: int = 0,
        advice: int | None = None,
    ) -> None:
        self._spans = iter(
            spans if not flags else [(a // ALIGN * ALIGN, -(-b // ALIGN) * ALIGN) for a, b in spans]
        )
        self._lock = threading.Lock()
        room = max(b - a for a, b in spans) + 2 * ALIGN
        self._buffers = [memoryview(memory_of(room)) for _ in range(threads)]
        self._fd = os.open(path, os.O_RDONLY | flags)
        if advice is not None:
            os.posix_fadvise(self._fd, 0, 0, advice)
        self._counts = [0] * threads
        self._wanted = sum(b - a for a, b in spans)  # not what they were widened by

    def run(self) -> Run:
        """Read all, once."""
        threads = [threading.Thread(target=self._read, args=(n,)) for n in range(len(self._buffers))]
        clock = Clock()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run = clock.stop(sum(self._counts), self._wanted)
        os.close(self._fd)
        return run

    def _read(self, number: int) -> None:
        buffer, samples = self._buffers[number], 0
        while True:
            with self._lock:
                span = next(self._spans, None)
            if span is None:
                break
            start, stop = span
            while start < stop and (got := os.preadv(self._fd, [buffer[: stop - start]], start)):
                start += got
            samples += 1
        self._counts[number] = samples


def read_raw(path: Path, most: int) -> Job:
    """The spans of samples in random order, with all threads."""
    context = multiprocessing.get_context("fork")

    def read_part(barrier: Any, results: Any, spans: list[tuple[int, int]]) -> None:
        reads = RawReads(path, spans, RAW_THREADS // RAW_PROCESSES)
        barrier.wait()
        started = time.perf_counter()  # one clock for all processes
        run = reads.run()
        results.put((run, started, started + run.seconds))

    def read(seed: int) -> Run:
        spans = spans_of(path, seed, most)
        barrier, results = context.Barrier(RAW_PROCESSES), context.Queue()
        parts = [
            context.Process(target=read_part, args=(barrier, results, spans[n::RAW_PROCESSES]))
            for n in range(RAW_PROCESSES)
        ]
        for part in parts:
            part.start()
        runs, starts, stops = zip(*[results.get() for _ in parts], strict=True)
        for part in parts:
            part.join()
        return Run(
            sum(run.samples for run in runs),
            sum(run.size for run in runs),
            max(stops) - min(starts),
            sum(run.cpu for run in runs),
            sum(run.disk for run in runs),
        )

    return read


def spans_of(path: Path, seed: int | None, most: int) -> list[tuple[int, int]]:
    """Spans of samples, up to about ``most`` bytes; in random order with a seed."""
    offsets = np.fromfile(f"{path}.offsets", ">u8").astype(np.int64)
    spans = np.stack([offsets[:-1], offsets[1:]], axis=1)
    if seed is not None:
        spans = np.random.default_rng(seed).permutation(spans)
    count = int(np.searchsorted(np.cumsum(spans[:, 1] - spans[:, 0]), most)) + 1
    return [(int(a), int(b)) for a, b in spans[:count]]


def measure(jobs: dict[str, Job], repeats: int, before: Callable[[], None]) -> dict[str, list[Run]]:
    """All jobs in turns, each turn in another order, because a job may affect the next one."""
    found: dict[str, list[Run]] = {name: [] for name in jobs}
    for seed in tqdm(range(repeats), leave=False, disable=None):
        for name in random.Random(seed).sample(list(jobs), len(jobs)):
            gc.collect()
            before()
            found[name].append(jobs[name](seed))
    return found


def row_of(name: str, runs: Sequence[Run], against: Sequence[float] | None, goal: float | None = None) -> Row:
    """Summarise the runs of one job, compared with the possible bytes per second in each turn."""
    rates = [run.size / run.seconds for run in runs]
    shares = None if against is None else [a / b for a, b in zip(rates, against, strict=True)]
    cpu = [run.cpu / run.size * 1e9 for run in runs]
    return Row(
        name,
        Spread.of([rate / 1e6 for rate in rates]),
        None if shares is None else Spread.of(shares),
        Spread.of(cpu),
        Spread.of([run.disk / run.size for run in runs]),
        goal,
    )


def rows_of_all(args: argparse.Namespace, source: str, path: Path | None) -> list[Row]:
    """The rows of all jobs."""
    most = int(args.gigabytes * 1e9)
    jobs = {
        "sequential": read_with_ddfast(source, False, most),
        "shuffled": read_with_ddfast(source, True, most),
    }
    if path is not None:
        jobs[f"{RAW_THREADS} threads, preadv"] = read_raw(path, most)
    if path is not None and args.datadings_seconds > 0:
        jobs["datadings, shuffled"] = read_with_datadings(path, args.datadings_seconds)
    found = measure(jobs, args.repeats, lambda: None)
    raw = found.get(f"{RAW_THREADS} threads, preadv")
    against = [args.cap] * args.repeats if args.cap else raw and [run.size / run.seconds for run in raw]
    goals = {"sequential": args.goal_sequential, "shuffled": args.goal_shuffled}
    return [row_of(name, runs, against, goals.get(name)) for name, runs in found.items()]


def print_table(rows: Sequence[Row], share_of: str) -> None:
    """All rows as Markdown."""
    print(f"| | MB/s | share of {share_of} | goal | CPU s/GB | from disk |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        share = "" if row.share is None else f"{row.share:.3f}"
        goal = "" if row.goal is None else f"{row.goal:.2f}"
        print(f"| {row.name} | {row.rate:,.0f} | {share} | {goal} | {row.cpu:.2f} | {row.disk.median:.0%} |")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("source", metavar="SOURCE", help="folder of a mount, or URL of a folder")
    parser.add_argument(
        "--cap",
        type=float,
        help="capacity of the network in bytes per second (default: compare with plain reads)",
    )
    parser.add_argument("--label", default="", help="name of the table")
    parser.add_argument("--repeats", type=int, default=5, help="number of turns (default: 5)")
    parser.add_argument(
        "--gigabytes",
        type=float,
        default=1e9,
        help="gigabytes per pass; after a part of the dataset, data that was fetched ahead is lost (default: all)",
    )
    parser.add_argument(
        "--datadings-seconds",
        type=float,
        default=3.0,
        help="seconds for datadings; 0 leaves it out (default: 3)",
    )
    parser.add_argument("--goal-sequential", type=float, help="minimum share, shown in the table")
    parser.add_argument("--goal-shuffled", type=float, help="minimum share, shown in the table")
    parser.add_argument("--json", type=Path, help="write the figures to this JSON file too")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    args = parser.parse_args()
    is_url = "://" in args.source
    path = None if is_url else ensure(DATASETS[0], Path(args.source))
    source = f"{args.source.rstrip('/')}/{DATASETS[0].name}-{DATASETS[0].n}.msgpack" if is_url else str(path)
    facts = machine()
    before = os.getloadavg()[0]
    rows = rows_of_all(args, source, path)
    loads = [round(before, 2), round(os.getloadavg()[0], 2)]
    print(f"\n{args.label or source}; {machine_line(facts)}; load {loads[0]} before, {loads[1]} after\n")
    print_table(rows, "the cap" if args.cap else "the plain reads")
    if args.json:
        figures = {"label": args.label, "cap": args.cap, "machine": facts, "load": loads}
        args.json.write_text(json.dumps({**figures, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
