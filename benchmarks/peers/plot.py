"""One plot per dataset: one panel per job, one bar per peer, the limits as lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.peers import source
from benchmarks.peers.jobs import JOBS, STREAMS, Job
from benchmarks.peers.registry import BY_NAME as PEERS
from benchmarks.peers.report import figure as number
from benchmarks.peers.run import Result
from benchmarks.plot import ACCENT, FAINT, GRID, INK

OTHERS = "#b8c4ce"
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # keeps the lines out of the figures
LINES = {"preadv": (0, (4, 2)), "memory": (0, (1, 1.5))}
SHOWN = (*STREAMS, "first")
ROW, TOP, BOTTOM, GAP = 0.2, 0.95, 0.42, 0.62  # inches


def plot(folder: Path, results: Sequence[Result], note: str) -> list[Path]:
    """Draw ``peers_<dataset>.png`` for each dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset in dict.fromkeys(result.dataset for result in results):
        chosen = [result for result in results if result.dataset == dataset and result.spread]
        if chosen:
            paths.append(folder / f"peers_{dataset}.png")
            draw(paths[-1], source.BY_NAME[dataset].title, chosen, note)
    return paths


def draw(path: Path, title: str, results: Sequence[Result], note: str) -> None:
    """Draw one dataset."""
    jobs = [job for job in JOBS if job.name in SHOWN and any(result.job == job.name for result in results)]
    across = min(2, len(jobs))
    bands = [jobs[i : i + across] for i in range(0, len(jobs), across)]
    counts = [max(len(bars(results, job)) for job in band) for band in bands]
    height = TOP + BOTTOM + sum(ROW * count + GAP for count in counts)
    picture = Figure(figsize=(10, height))
    top = TOP
    for band, count in zip(bands, counts, strict=True):
        for column, job in enumerate(band):
            left = 0.19 + 0.5 * column
            size = (left, 1 - (top + 0.25 + ROW * count) / height, 0.27, ROW * count / height)
            draw_job(picture.add_axes(size), job, results, count)
        top += ROW * count + GAP
    picture.text(0.015, 1 - 0.33 / height, f"Samples of {title}", fontsize=14, fontweight="bold", color=INK)
    lines = "warm page cache, one process; log axes; dashed: preadv, dotted: memory copy"
    picture.text(0.015, 1 - 0.56 / height, lines, fontsize=9, color=FAINT)
    picture.text(0.015, 0.12 / height, note, fontsize=7.5, color=FAINT)
    picture.savefig(path, dpi=160, facecolor="white")


def bars(results: Sequence[Result], job: Job) -> list[Any]:
    """The results of a job without limits, the best first."""
    chosen = [result for result in results if result.job == job.name and not PEERS[result.peer].is_limit]
    return sorted(chosen, key=lambda result: result.spread.median, reverse=job.more_is_better)


def draw_job(axes: Axes, job: Job, results: Sequence[Result], count: int) -> None:
    """One panel."""
    chosen = bars(results, job)
    least = min(result.spread.low for result in chosen) / 3
    most = max(result.spread.high for result in chosen)
    for position, result in enumerate(chosen):
        spread = result.spread
        color = ACCENT if result.peer.startswith("ddfast") else OTHERS
        axes.barh(position, spread.median - least, left=least, color=color, height=0.72)
        axes.plot([spread.low, spread.high], [position, position], color=INK, linewidth=0.9)
        axes.text(
            spread.high * 1.15,
            position,
            number(spread.median),
            va="center",
            fontsize=7.5,
            color=INK,
            bbox=PAPER,
        )
    for result in results:
        if result.job == job.name and result.peer in LINES and result.spread:
            most = max(most, result.spread.median)
            axes.axvline(result.spread.median, color=INK, linewidth=1, linestyle=LINES[result.peer])
    axes.set_xscale("log")
    axes.set_xlim(least, most * 6)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks(range(len(chosen)), [PEERS[result.peer].title for result in chosen])
    axes.set_title(f"{job.title}, {job.unit}", loc="left", fontsize=10, color=INK, pad=5)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID)
    axes.minorticks_off()
    axes.tick_params(length=0, labelcolor=FAINT, labelsize=7.5)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=8)
    axes.spines[:].set_visible(False)
