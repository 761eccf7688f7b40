"""The jobs: each of them uses a reader for a given time."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import chain, cycle, islice
from typing import Any

import numpy as np

from benchmarks.measure import Stopwatch
from benchmarks.peers.contract import Columns, Reader

BATCH = 256
STEP = 256  # samples between two looks at the clock
SEED = 7


@dataclass(frozen=True, slots=True)
class Job:
    """A column of the tables.

    Parameters:
        name: name in options.
        title: name in tables and plots.
        unit: of its figures.
        more_is_better: whether larger figures are better.
        most_turns: maximum number of turns of a job that takes long and varies little; 0 for no limit.
    """

    name: str
    title: str
    unit: str
    more_is_better: bool = False
    most_turns: int = 0

    def turns(self, repeats: int) -> int:
        """Number of turns of this job if other jobs have ``repeats``."""
        return min(repeats, self.most_turns or repeats)


JOBS = (
    Job("samples", "samples in order", "samples/s", True),
    Job("batches", "batches(256) in order", "samples/s", True),
    Job("get", "single, random", "samples/s", True),
    Job("get_batch", "256 random", "samples/s", True),
    Job("shuffled", "shuffled epoch", "samples/s", True),
    Job("write", "writing", "samples/s", True, most_turns=3),
    Job("first", "first sample", "ms"),
    Job("memory", "peak memory", "MB", most_turns=2),
    Job("size", "on disk", "MB", most_turns=1),
    Job("cpu", "CPU", "s/GB"),
)
BY_NAME = {job.name: job for job in JOBS}


@dataclass(frozen=True, slots=True)
class Timing:
    """Samples per second, and processor seconds of all threads and ended children per sample."""

    rate: float
    cpu: float


class LateWatch(Stopwatch):
    """A stopwatch that starts with the first items, because the start of a pass is not included in a rate."""

    begun = False
    cpu_started = 0.0

    def more(self, n: int) -> bool:
        """Count ``n`` items, except the first ones; False when the time is over."""
        if self.begun:
            return super().more(n)
        self.begun = True
        self.cpu_started = cpu_seconds()
        self.started = time.perf_counter()
        return True


def samples(reader: Reader, watch: Stopwatch) -> None:
    """Take samples in order, pass after pass."""
    while True:
        stream = reader.samples()
        if hasattr(stream, "__aiter__"):
            if not reader.run(_awaited(stream, watch, 1, STEP)):
                return
        elif not _taken(stream, len(reader), watch):
            return


def _taken(stream: Iterator[Any], left: int, watch: Stopwatch) -> bool:
    """Take the samples of one pass; False when the time is over."""
    with _closed(stream):
        while left > 0:
            sample = None
            for sample in islice(stream, STEP):  # noqa: B007 - the last one is looked at
                pass
            if sample is None:
                raise ValueError(f"the pass ended {left} samples early")
            if not watch.more(min(left, STEP)):
                return False
            left -= STEP
    return True


def batches(reader: Reader, watch: Stopwatch, size: int = BATCH) -> None:
    """Take batches in order, pass after pass."""
    _passes(reader, lambda: reader.batches(size), watch)


def shuffled(reader: Reader, watch: Stopwatch) -> None:
    """Take batches in shuffled order, a different one in each pass."""
    seeds = iter(range(SEED, 1 << 30))
    _passes(reader, lambda: reader.shuffled(BATCH, next(seeds)), watch)


def _passes(reader: Reader, start: Callable[[], Any], watch: Stopwatch) -> None:
    going = True
    while going:
        stream = start()
        if hasattr(stream, "__aiter__"):
            going = reader.run(_awaited(stream, watch, None, 1))
            continue
        with _closed(stream):
            going = all(watch.more(rows(batch)) for batch in stream)


async def _awaited(stream: Any, watch: Stopwatch, each: int | None, step: int) -> bool:
    """Take one pass of an asynchronous iterator of samples (``each`` is 1) or batches; False when the time is over."""
    waiting = 0
    try:
        async for item in stream:
            waiting += each or rows(item)
            if waiting >= step:
                if not watch.more(waiting):
                    return False
                waiting = 0
        return watch.more(waiting)
    finally:
        await stream.aclose()


def rows(batch: Columns) -> int:
    """Samples of a batch."""
    return len(batch["label"])


def get(reader: Reader, watch: Stopwatch) -> None:
    """Take single samples at random; fast readers check the clock less often."""
    one = reader.get
    indices = chain.from_iterable(random_blocks(len(reader)))
    step = 1
    while True:
        for index in islice(indices, step):
            one(index)
        if not watch.more(step):
            return
        step = min(64, 2 * step)


def get_batch(reader: Reader, watch: Stopwatch, size: int = BATCH) -> None:
    """Take batches of samples at random."""
    for block in random_blocks(len(reader), size):
        if not watch.more(rows(reader.get_batch(block))):
            return


def random_blocks(n: int, size: int = BATCH) -> Iterator[list[int]]:
    """Blocks of random indices, endlessly."""
    return cycle(np.random.default_rng(SEED).integers(0, n, (256, size)).tolist())


STREAMS: dict[str, Callable[[Reader, Stopwatch], None]] = {
    "samples": samples,
    "batches": batches,
    "get": get,
    "get_batch": get_batch,
    "shuffled": shuffled,
}


def measure(job: str, reader: Reader, seconds: float) -> Timing:
    """Do one of `STREAMS` for some time.

    Raises:
        NotOffered: the reader does not support this.
    """
    watch = LateWatch(seconds)
    STREAMS[job](reader, watch)
    return Timing(watch.rate(), (cpu_seconds() - watch.cpu_started) / watch.count)


def cpu_seconds() -> float:
    """Processor seconds of this process and its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _closed(stream: Any) -> Any:
    """A context that closes an iterator, if it can be closed."""
    return closing(stream) if hasattr(stream, "close") else nullcontext()
