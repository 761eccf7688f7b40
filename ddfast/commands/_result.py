"""The result of ``ddfast-bench``: figures, text and plot."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ddfast.commands._measure import Job, Timing
from ddfast.commands._plot import plot_rates
from ddfast.storage.urls import shown

MB = 1e6
GB = 1e9


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One run of the benchmark.

    Parameters:
        job: what was read and how.
        file_bytes: size of the data file; for a folder or ZIP file, the size of all packed samples.
        file_samples: number of samples in the data file.
        run: the run, in samples.
        raw: plain preadv of the same file before and after the run, in bytes; 0 without a data file.
        loop: event loop of the run; empty for a blocking run.
    """

    job: Job
    file_bytes: int
    file_samples: int
    run: Timing
    raw: Timing
    loop: str

    @property
    def name(self) -> str:
        """Name of the data file or the files."""
        if isinstance(self.job.path, str):
            return shown(self.job.path)
        return self.job.path.name if self.job.files is None else str(self.job.path)

    @property
    def bytes(self) -> float:
        """Bytes of the data file that the samples which were read take."""
        return self.run.count * self.file_bytes / max(1, self.file_samples)

    def figures(self) -> dict[str, float]:
        """The results by name."""
        rate = self.bytes / self.run.seconds
        return {
            "samples_per_second": self.run.rate,
            "mb_per_second": rate / MB,
            "cpu_seconds_per_gb": self.run.cpu_seconds / max(1.0, self.bytes) * GB,
            "first_seconds": self.run.first_seconds,
            "waited_seconds": self.run.stats.seconds_waited if self.run.stats else 0.0,
            "raw_mb_per_second": self.raw.rate / MB,
            "raw_cpu_seconds_per_gb": self.raw.cpu_seconds / max(1, self.raw.count) * GB,
            "share_of_raw": rate / self.raw.rate if self.raw.count else 0.0,
        }

    def to_dict(self) -> dict[str, Any]:
        """The result in a form for JSON."""
        return {
            "job": {**dataclasses.asdict(self.job), **self._texts()},
            "file_bytes": self.file_bytes,
            "file_samples": self.file_samples,
            "samples": self.run.count,
            "seconds": self.run.seconds,
            "loop": self.loop,
            **self.figures(),
            "stats": self.run.stats._asdict() if self.run.stats else None,
        }

    def _texts(self) -> dict[str, str | None]:
        """Fields of the job that are text in JSON, without secrets."""
        cache = self.job.cache
        path = self.name if isinstance(self.job.path, str) else str(self.job.path)
        return {"path": path, "cache": None if cache is None else str(cache), "storage_options": None}


def report(result: Result) -> str:
    """The result as text."""
    figures = result.figures()
    first = "sample" if result.job.samples else "batch"
    on = f" on {result.loop}" if result.loop else ""
    rows = [
        ("samples/s", f"{figures['samples_per_second']:,.0f}"),
        ("MB/s", f"{figures['mb_per_second']:,.0f}"),
        ("CPU seconds per GB", f"{figures['cpu_seconds_per_gb']:.3f}"),
        (f"first {first} after", f"{figures['first_seconds'] * 1e3:.1f} ms"),
        ("waited for batches", f"{figures['waited_seconds']:.2f} s"),
    ]
    if result.raw.count:
        rows += [
            ("plain preadv, MB/s", f"{figures['raw_mb_per_second']:,.0f}"),
            ("share of plain preadv", f"{figures['share_of_raw']:.0%}"),
        ]
    rows += _network_rows(result)
    mean = result.file_bytes / max(1, result.file_samples)
    lines = [
        f"{result.name}: {result.file_samples:,} samples of {mean:,.0f} bytes,"
        f" {result.file_bytes / MB:,.1f} MB",
        f"{result.job.describe()}{on}: {result.run.count:,} samples in {result.run.seconds:.2f} s",
        "",
        *(f"  {name:<22} {value:>12}" for name, value in rows),
    ]
    return "\n".join(lines)


def _network_rows(result: Result) -> list[tuple[str, str]]:
    """Counters of the network."""
    stats, seconds = result.run.stats, result.run.seconds
    if stats is None or not stats.requests:
        return []
    return [
        ("requests/s", f"{stats.requests / seconds:,.0f}"),
        ("kB a request", f"{stats.bytes_fetched / stats.requests / 1e3:,.1f}"),
        ("bytes read per needed", f"{stats.bytes_fetched / max(1.0, result.bytes):.2f}"),
        ("repeated requests", f"{stats.retries:,}"),
        ("second requests", f"{stats.hedged:,}"),
        ("throttled requests", f"{stats.throttled:,}"),
    ]


def draw(result: Result, png: Path) -> None:
    """Draw the result."""
    figures = result.figures()
    rates = [("ddfast", figures["mb_per_second"])]
    title = result.name
    if result.raw.count:
        rates.append(("plain preadv", figures["raw_mb_per_second"]))
        title += f": {figures['share_of_raw']:.0%} of the speed of plain preadv"
    plot_rates(
        png,
        title,
        f"{result.job.describe()}: {figures['samples_per_second']:,.0f} samples/s, "
        f"{figures['cpu_seconds_per_gb']:.2f} CPU seconds per GB",
        rates,
        "MB/s",
    )
