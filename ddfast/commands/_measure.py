"""How fast a dataset is read, by ddfast and by plain preadv."""

from __future__ import annotations

import asyncio
import importlib.util
import mmap
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ddfast import AsyncReader, MsgpackReader
from ddfast.commands._sources import FileOptions, open_files
from ddfast.reader import Reader
from ddfast.tools import make_printer

if TYPE_CHECKING:
    from ddfast.stats import ReaderStats

PAGE = mmap.PAGESIZE
# A measurement without bounds repeats whole passes until this many seconds are over.
ENOUGH = 2.0
STEP = 256  # samples between two reads of the clock when samples are read one by one


@dataclass(frozen=True, slots=True)
class Job:
    """What to read and how.

    Parameters:
        path: data file; a URL stays text.
        batch_size: samples per batch.
        columns: names of the columns to read; None for all.
        shuffle: read in a shuffled order.
        raw: leave samples packed.
        samples: read samples one by one instead of batches.
        blocking: use `MsgpackReader` instead of `AsyncReader`.
        buffering: buffer size of `MsgpackReader`, in bytes.
        queue_depth: reads in flight; None for the reader's default.
        io: how to wait for storage, see `AsyncReader`.
        prefetch_bytes: memory for batches in flight.
        epochs: passes over the dataset; None for no limit.
        seconds: time after which to stop, even within a pass; None for no limit.
        files: how to find the files of a folder or a ZIP file; None if the path is a data file.
        storage_options, cache, cache_bytes: options for URLs, see `MsgpackReader`.
    """

    path: Path | str
    batch_size: int = 256
    columns: tuple[str, ...] | None = None
    shuffle: bool = False
    raw: bool = False
    samples: bool = False
    blocking: bool = False
    buffering: int = 0
    queue_depth: int | None = None
    io: Literal["auto", "threads", "uring", "direct"] = "auto"
    prefetch_bytes: int = 256 << 20
    epochs: int | None = None
    seconds: float | None = None
    files: FileOptions | None = None
    storage_options: Mapping[str, Any] | None = None
    cache: Path | None = None
    cache_bytes: int | None = None

    def describe(self) -> str:
        """The job in a few words, for example ``async batches(256), shuffled``."""
        face = "blocking" if self.blocking else "async"
        what = "samples" if self.samples else f"batches({self.batch_size})"
        details = [
            *(["packed"] if self.raw else []),
            *([f"only {', '.join(self.columns)}"] if self.columns else []),
            *(["shuffled"] if self.shuffle else []),
        ]
        return ", ".join([f"{face} {what}", *details])


@dataclass(frozen=True, slots=True)
class Timing:
    """The result of a measurement: a number of samples, or of bytes for plain reads.

    Parameters:
        count: number of samples or bytes.
        seconds: wall-clock time from before opening the file to the end.
        cpu_seconds: processor time of all threads of the process.
        first_seconds: wall-clock time until the first batch, sample or read.
        stats: counters of the reader.
    """

    count: int
    seconds: float
    cpu_seconds: float
    first_seconds: float
    stats: ReaderStats | None = None

    @property
    def rate(self) -> float:
        """Count per second."""
        return self.count / self.seconds if self.seconds else 0.0


class Meter:
    """Counts samples or bytes, updates a progress bar, and decides when to stop."""

    def __init__(self, bar: Any, epochs: int | None = None, seconds: float | None = None) -> None:
        self.bar = bar
        self.max_epochs = epochs
        self.max_seconds = seconds
        self.count = 0
        self.first = 0.0
        self.cpu_started = time.process_time()
        self.started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def passes(self) -> Iterator[int]:
        """Numbers of the passes over the dataset: 0, 1, ..."""
        epoch = 0
        while self.has_pass(epoch):
            yield epoch
            epoch += 1

    def has_pass(self, epoch: int) -> bool:
        """Whether to make pass ``epoch``."""
        if epoch == 0 or self.count == 0:
            return epoch == 0
        if self.max_epochs is not None:
            return epoch < self.max_epochs
        return self.elapsed < (self.max_seconds or ENOUGH)

    def add(self, n: int) -> bool:
        """Add ``n`` to the count. Returns True if the time is over."""
        if not self.count:
            self.first = self.elapsed
        self.count += n
        self.bar.update(n)
        return self.max_seconds is not None and self.elapsed >= self.max_seconds

    def timing(self) -> Timing:
        """The result so far."""
        return Timing(self.count, self.elapsed, time.process_time() - self.cpu_started, self.first)


def progress(desc: str, total: float, unit: str, show: bool) -> Any:
    """A progress bar on stderr; hidden if stderr is not a terminal."""
    return make_printer(
        total=total, desc=desc, unit=unit, unit_scale=True, leave=False, disable=None if show else True
    )


def preadv_rate(path: Path, read_bytes: int, meter: Meter) -> Timing:
    """Read a file from start to end with plain `preadv`, one thread and one reused page-aligned buffer.

    Parameters:
        path: file to read.
        read_bytes: size of a read, rounded up to whole pages, because copies between unaligned
            positions are slower.
        meter: counts the bytes.
    """
    with path.open("rb", buffering=0) as file, mmap.mmap(-1, -(-read_bytes // PAGE) * PAGE) as buffer:
        for _ in meter.passes():
            for got in _reads(file.fileno(), buffer):
                if meter.add(got):
                    return meter.timing()
    return meter.timing()


def _reads(fd: int, buffer: mmap.mmap) -> Iterator[int]:
    """Read ``fd`` into ``buffer`` until its end. Yields the sizes of the reads."""
    offset = 0
    while got := os.preadv(fd, [buffer], offset):
        yield got
        offset += got


def uses_uvloop(job: Job) -> bool:
    """Whether `measure` runs the job on uvloop."""
    return not job.blocking and importlib.util.find_spec("uvloop") is not None


def measure(job: Job, show: bool = True) -> Timing:
    """Run a job and count the samples.

    Raises:
        DdfastError: the dataset is missing or damaged.
    """
    if job.blocking:
        return _measure_blocking(job, show)
    if uses_uvloop(job):
        import uvloop

        return uvloop.run(_measure_async(job, show))
    return asyncio.run(_measure_async(job, show))


async def _measure_async(job: Job, show: bool) -> Timing:
    with progress(job.describe(), 0, " samples", show) as bar:
        meter = Meter(bar, job.epochs, job.seconds)
        async with AsyncReader(job.path, **_reader_options(job)) as reader:
            bar.total = len(reader) * (job.epochs or 1)
            for epoch in meter.passes():
                if await _async_pass(reader, job, epoch, meter):
                    break
            return replace(meter.timing(), stats=reader.stats())


async def _async_pass(reader: AsyncReader, job: Job, epoch: int, meter: Meter) -> bool:
    """Make one pass. Returns True if the time was over before its end."""
    if job.samples:
        return await _async_samples(reader, job, epoch, meter)
    async with aclosing(reader.batches(job.batch_size, **_arguments(job, epoch))) as batches:
        async for batch in batches:
            _take(batch, job)
            if meter.add(len(batch)):
                return True
    return False


async def _async_samples(reader: AsyncReader, job: Job, epoch: int, meter: Meter) -> bool:
    pending = 0
    async with aclosing(reader.samples(shuffle=job.shuffle, epoch=epoch, raw=job.raw)) as samples:
        async for _ in samples:
            pending += 1
            if pending == STEP or not meter.count:
                if meter.add(pending):
                    return True
                pending = 0
    return meter.add(pending)


def _measure_blocking(job: Job, show: bool) -> Timing:
    with progress(job.describe(), 0, " samples", show) as bar:
        meter = Meter(bar, job.epochs, job.seconds)
        with _open(job) as reader:
            bar.total = len(reader) * (job.epochs or 1)
            for epoch in meter.passes():
                if _blocking_pass(reader, job, epoch, meter):
                    break
            return replace(meter.timing(), stats=reader.stats())


def _open(job: Job) -> Reader:
    if job.files is not None:
        return open_files(Path(job.path), job.files)
    return MsgpackReader(job.path, job.buffering, **_reader_options(job))


def _blocking_pass(reader: Reader, job: Job, epoch: int, meter: Meter) -> bool:
    """Make one pass. Returns True if the time was over before its end."""
    if job.samples and not job.shuffle:
        return _blocking_samples(reader, job, meter)
    with closing(reader.batches(job.batch_size, **_arguments(job, epoch))) as batches:
        for batch in batches:
            _take(batch, job)
            if meter.add(len(batch)):
                return True
    return False


def _blocking_samples(reader: Reader, job: Job, meter: Meter) -> bool:
    samples = iter(reader.rawiter() if job.raw else reader)
    left = len(reader)
    while left:
        step = min(left, STEP if meter.count else 1)
        deque(islice(samples, step), maxlen=0)
        left -= step
        if meter.add(step):
            return True
    return False


def _reader_options(job: Job) -> dict[str, Any]:
    depth = {} if job.queue_depth is None else {"queue_depth": job.queue_depth}
    remote = {"storage_options": job.storage_options, "cache": job.cache, "cache_bytes": job.cache_bytes}
    given = {name: value for name, value in remote.items() if value is not None}
    return {"prefetch_bytes": job.prefetch_bytes, "io": job.io, **depth, **given}


def _arguments(job: Job, epoch: int) -> dict[str, Any]:
    return {"shuffle": job.shuffle, "epoch": epoch, "columns": job.columns, "raw": job.raw}


def _take(batch: Any, job: Job) -> None:
    """Use a batch like a program: build its samples or its columns."""
    if job.samples:
        deque(batch, maxlen=0)
    elif not job.raw:
        for name in job.columns or batch.columns:
            batch[name]
