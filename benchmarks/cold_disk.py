"""Read a dataset from a local disk with a cold cache, and compare with the fastest plain reads.

The dataset of 105 kB samples is in FOLDER; the first run writes it. Before each run, its data file is dropped from the
page cache with ``posix_fadvise(POSIX_FADV_DONTNEED)``, which needs no special rights; no other process may have it
open. Then the same amount of memory is allocated and freed: the host of a virtual machine reclaims idle memory, and
getting pages back for the page cache costs several times as much as reading into them.
"from disk" is the number of bytes that the kernel read from the disk for the process (``/proc/self/io``), as a share of
the delivered bytes. Much less than 100 % means that the cache was not cold; much more means that unneeded bytes were
read. The host of a virtual machine may have a cache too, which this benchmark cannot empty.

It measures the following in turns and in random order, and prints medians:

- ddfast, ``batches(256)``, sequentially and truly shuffled, through the page cache (``io="auto"``) and
  bypassing it (``io="direct"``): each is a complete pass with a reader that has read before and has its memory;
- threads that only call `preadv` into reused buffers: 4 MiB at a time from start to end, and the spans of samples in
  random order with POSIX_FADV_RANDOM; both also with O_DIRECT.

A share compares a job with the plain reads of the same order and the same use of the cache that have the highest
median, in the same turn. If a pass takes longer than some seconds on a virtual machine, its host may reclaim memory
meanwhile, which falsifies the result: use fewer ``--samples`` in this case.

Example:
  python benchmarks/cold_disk.py /tmp/ddfast-cold --repeats 5
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from datasets import DATASETS, ensure
from io_backends import PLAIN_READ, Clock, Run, drop_from_cache
from measure import machine, machine_line
from remote_storage import (
    ALIGN,
    BATCH,
    Job,
    RawReads,
    Row,
    measure,
    memory_of,
    print_table,
    row_of,
    spans_of,
    warm_up,
)

from ddfast import AsyncReader
from ddfast.loading.options import IO

# Threads of the plain ways, by shuffle and io.
DEPTHS: dict[tuple[bool, IO], tuple[int, ...]] = {
    (False, "auto"): (1, 2, 4, 8),
    (False, "direct"): (4, 8, 32),
    (True, "auto"): (8, 32, 64),
    (True, "direct"): (8, 32, 64),
}
EVERYTHING = 1 << 62
GOAL = 0.9
CHUNK = 64 << 20
SPARE = 8  # chunks beyond the file's size


def blocks_of(path: Path) -> list[tuple[int, int]]:
    """The file from start to end in large blocks; the incomplete block at its end is not read."""
    size = path.stat().st_size // ALIGN * ALIGN
    return [(start, min(start + PLAIN_READ, size)) for start in range(0, size, PLAIN_READ)]


def make_cold(path: Path) -> None:
    """Drop the file from the page cache, and make the host provide the memory that it will need."""
    drop_from_cache(path)
    taken = [memory_of(CHUNK) for _ in range(path.stat().st_size // CHUNK + SPARE)]
    for memory in taken:
        memory.close()


def read_blocks(path: Path, threads: int, flags: int, _seed: int) -> Run:
    """Plain reads in order."""
    return RawReads(path, blocks_of(path), threads, flags).run()


def read_spans(path: Path, threads: int, flags: int, seed: int) -> Run:
    """Plain reads of samples at random."""
    advice = None if flags else os.POSIX_FADV_RANDOM
    return RawReads(path, spans_of(path, seed, EVERYTHING), threads, flags, advice).run()


def read_batches(path: Path, shuffle: bool, io: IO, seed: int) -> Run:
    """A pass of `batches` with a reader whose memory is allocated."""

    async def read() -> Run:
        async with AsyncReader(path, io=io) as reader:
            await warm_up(reader, shuffle, seed + 1)
            make_cold(path)
            clock = Clock()
            samples = size = 0
            async for batch in reader.batches(BATCH, shuffle=shuffle, seed=seed, columns=["label", "image"]):
                samples += len(batch["label"])
                size += sum(map(len, batch["image"]))
            return clock.stop(samples, size)

    return asyncio.run(read())


def jobs_of(path: Path, shuffle: bool, io: IO) -> tuple[str, dict[str, Job]]:
    """The jobs of ddfast by name, and the plain reads for each."""
    order = "shuffled" if shuffle else "sequential"
    read = read_spans if shuffle else read_blocks
    flags = os.O_DIRECT if io == "direct" else 0
    jobs: dict[str, Job] = {f"{order}, {io}": partial(read_batches, path, shuffle, io)}
    for threads in DEPTHS[shuffle, io]:
        name = f"plain {order}, {threads} threads" + (", O_DIRECT" if flags else "")
        jobs[name] = partial(read, path, threads, flags)
    return f"{order}, {io}", jobs


def rates_of(runs: Sequence[Run]) -> list[float]:
    """Bytes a second."""
    return [run.size / run.seconds for run in runs]


def rows_of(path: Path, repeats: int) -> list[Row]:
    """All rows; those of ddfast with their share of the fastest plain reads."""
    groups = [jobs_of(path, shuffle, io) for shuffle, io in DEPTHS]
    found = measure(
        {name: job for _, jobs in groups for name, job in jobs.items()}, repeats, lambda: make_cold(path)
    )
    rows = []
    for ours, jobs in groups:
        best = max((rates_of(found[name]) for name in jobs if name != ours), key=statistics.median)
        rows += [row_of(name, found[name], best, GOAL if name == ours else None) for name in jobs]
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="folder on the disk to measure")
    parser.add_argument(
        "--samples", type=int, default=16_000, help="samples of the dataset (default: 16000, 1.7 GB)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="number of turns (default: 5)")
    parser.add_argument("--json", type=Path, help="write the figures to this JSON file too")
    args = parser.parse_args()
    path = ensure(dataclasses.replace(DATASETS[0], n=args.samples), args.folder)
    facts = machine()
    before = os.getloadavg()[0]
    rows = rows_of(path, args.repeats)
    loads = [round(before, 2), round(os.getloadavg()[0], 2)]
    print(f"\n{path.name}; {machine_line(facts)}; load {loads[0]} before, {loads[1]} after\n")
    print_table(rows, "the fastest plain reads")
    if args.json:
        figures = {"machine": facts, "load": loads, "rows": [dataclasses.asdict(row) for row in rows]}
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
