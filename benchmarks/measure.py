"""Interleaved measurements, medians with their spread, and facts about the machine."""

from __future__ import annotations

import gc
import importlib.metadata
import mmap
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm


@dataclass(frozen=True, slots=True)
class Spread:
    """Middle and extremes of some measurements."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


class Stopwatch:
    """Counts for a given time: ``while watch.more(n)`` after each ``n`` items."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.count = 0
        self.started = time.perf_counter()

    def more(self, n: int) -> bool:
        """Count ``n`` things; False when the time is over."""
        self.count += n
        return time.perf_counter() - self.started < self.seconds

    def rate(self) -> float:
        """Things a second, up to now."""
        return self.count / (time.perf_counter() - self.started)


def interleaved(sides: Mapping[str, Callable[[], float]], repeats: int, desc: str) -> dict[str, list[float]]:
    """Rates of each side, measured in turns, so that disturbances affect all sides."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in tqdm(range(repeats), desc=desc, leave=False, disable=None):
        for name, side in sides.items():
            gc.collect()
            rates[name].append(side())
    return rates


def ratios(rates: Sequence[float], to: Sequence[float]) -> Spread:
    """Spread of the ratios of rates that were measured in the same turn."""
    return Spread.of([a / b for a, b in zip(rates, to, strict=True)])


def warm(path: Path) -> None:
    """Read a file once, so that the page cache holds it."""
    raw_rate(path, 1 << 20, 0.0)


def raw_rate(path: Path, read_bytes: int, seconds: float) -> float:
    """Bytes per second of plain `preadv`, from start to end, one thread, one reused page-aligned buffer.

    Reads are rounded up to whole pages, as copies between unaligned positions are slower. Whole passes
    are repeated until ``seconds`` are over.
    """
    size = -(-read_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
    with path.open("rb", buffering=0) as file, mmap.mmap(-1, size) as buffer:
        fd = file.fileno()
        watch = Stopwatch(seconds)
        offset = 0
        while True:
            got = os.preadv(fd, [buffer], offset)
            offset += got
            if not watch.more(got) and not got:
                return watch.rate()
            if not got:
                offset = 0


def machine() -> dict[str, Any]:
    """Facts about the machine and the software that the figures depend on."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{
            name: importlib.metadata.version(name)
            for name in ("numpy", "datadings", "ddfast")
            if installed(name)
        },
    }


def installed(name: str) -> bool:
    """Whether a distribution of this name is installed."""
    return bool(list(importlib.metadata.distributions(name=name)))


def cpu_model() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def machine_line(facts: Mapping[str, Any]) -> str:
    """The facts in one sentence."""
    versions = ", ".join(
        f"{name} {facts[name]}" for name in ("numpy", "datadings", "ddfast") if name in facts
    )
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB, {facts['system']}, "
        f"Python {facts['python']}, {versions}"
    )
