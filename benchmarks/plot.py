"""The plot of `vs_datadings.py`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FAINT, ACCENT, GRID = "#24303c", "#7b8794", "#0b7285", "#e6eaee"


def plot_ratios(
    path: Path, jobs: Sequence[Any], datasets: Sequence[Any], results: Sequence[Any], note: str
) -> None:
    """Draw how many times as fast ddfast is, one panel per job and one bar per dataset."""
    found = {(result.job, result.dataset): result for result in results}
    shown = [job for job in jobs if any(job.name == result.job for result in results)]
    across = min(2, len(shown))
    down = -(-len(shown) // across)
    height = 1.1 + 1.75 * down
    figure = Figure(figsize=(9, height))
    figure.subplots_adjust(
        left=0.115, right=0.985, top=1 - 0.95 / height, bottom=0.55 / height, wspace=0.1, hspace=0.42
    )
    panels = figure.subplots(down, across, sharey=True, squeeze=False).flat
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, job in zip(panels, shown, strict=False):
        draw_job(axes, job, [(dataset.title, found.get((job.name, dataset.name))) for dataset in datasets])
    line = "warm page cache, one thread of Python; bar: median, line: lowest to highest"
    figure.text(
        0.015, 1 - 0.33 / height, "Times as fast as datadings", fontsize=14, fontweight="bold", color=INK
    )
    figure.text(0.015, 1 - 0.55 / height, line, fontsize=9, color=FAINT)
    figure.text(0.015, 0.12 / height, textwrap.shorten(note, 150), fontsize=7.5, color=FAINT)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, facecolor="white")


def draw_job(axes: Axes, job: Any, rows: Sequence[tuple[str, Any]]) -> None:
    """One panel: the ratio on each dataset, and the line at 1 where both are equal."""
    top = max([result.ratio.high for _, result in rows if result] + [1.0])
    for position, (_, result) in enumerate(rows):
        if result is None:
            continue
        ratio = result.ratio
        axes.barh(position, ratio.median, color=ACCENT, height=0.6)
        axes.plot(
            [ratio.low, ratio.high], [position, position], color=INK, linewidth=1.2, solid_capstyle="butt"
        )
        axes.text(
            ratio.high + 0.03 * top, position, f"{ratio.median:.1f}x", va="center", fontsize=10.5, color=INK
        )
    axes.axvline(1.0, color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)))
    axes.set_title(job.title, loc="left", fontsize=10.5, color=INK, pad=6)
    axes.set_yticks(range(len(rows)), [title for title, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, top * 1.3)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID)
    axes.tick_params(length=0, labelcolor=FAINT, labelsize=8.5)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=10.5)
    axes.spines[:].set_visible(False)
