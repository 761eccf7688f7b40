"""The plot of the sweeps: one row per sweep, one column per figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from benchmarks.plot import ACCENT, FAINT, GRID, INK
from benchmarks.scaling.report import Row, by_sweep, median
from benchmarks.scaling.sweeps import Sweep

WARM = "#c2571a"
COLUMNS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "{}/s": (("in order", ACCENT), ("at random", WARM)),
    "own memory, MB": (("memory", ACCENT),),
    "ms": (("open", ACCENT), ("first lookup", WARM)),
    "lookup, µs": (("lookup", ACCENT),),
}
STYLES = ("--", "-", ":", "-.")
ACROSS, PANEL, ROW, TOP, BOTTOM = 4, 3.0, 2.0, 1.0, 0.75  # panels, inches


def plot(path: Path, rows: Sequence[Row], note: str) -> None:
    """Draw all sweeps that have results."""
    panels = [(sweep, column, found) for sweep, found in by_sweep(rows).items() for column in shown(sweep)]
    down = -(-len(panels) // ACROSS)
    height = TOP + BOTTOM + ROW * down
    picture = Figure(figsize=(PANEL * ACROSS, height))
    picture.subplots_adjust(
        left=0.05, right=0.99, top=1 - TOP / height, bottom=BOTTOM / height, wspace=0.24, hspace=0.55
    )
    grid = picture.subplots(down, ACROSS, squeeze=False).flat
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid, panels, strict=False):
        draw(axes, *panel)
    put_legend(picture, rows, height)
    picture.text(0.012, 1 - 0.3 / height, "Scaling", fontsize=14, fontweight="bold", color=INK)
    about = "batches of columns, warm page cache; float32[16] for batch sizes, keys and labels for numbers"
    picture.text(0.012, 1 - 0.5 / height, about, fontsize=9, color=FAINT)
    picture.text(0.012, 0.1 / height, note, fontsize=7.5, color=FAINT)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=160, facecolor="white")


def shown(sweep: Sweep) -> list[str]:
    """The figures that a sweep shows."""
    return [column for column, lines in COLUMNS.items() if lines[0][0] in sweep.figures]


def draw(axes: Axes, sweep: Sweep, column: str, rows: Sequence[Row]) -> None:
    """One panel: one colour per figure, one line style per number of processors."""
    for name, color in COLUMNS[column]:
        for style, processors in zip(STYLES, counts(rows), strict=False):
            points = [row for row in rows if row["processors"] == processors]
            across = [row["x"] for row in points]
            heights = [max(median(row, name), 1e-9) for row in points]
            axes.plot(across, heights, style, color=color, linewidth=1.4, marker="o", markersize=2.6)
    axes.set_xscale("log", base=4 if sweep.name == "batch" else 10)
    axes.set_xticks([row["x"] for row in rows], [short(row["x"]) for row in rows])
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 12 * low:  # a flat line shall look flat
        low, high = (low * high / 14) ** 0.5, (low * high * 14) ** 0.5
        axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, position: short(value))
    axes.set_title(column.format("B" if sweep.in_bytes else "samples"), loc="left", fontsize=9.5, color=INK)
    axes.set_xlabel(sweep.title, fontsize=8.5, color=INK, loc="left", labelpad=2)
    axes.minorticks_off()
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=FAINT, labelsize=7.5)
    axes.spines[:].set_visible(False)


def counts(rows: Sequence[Row]) -> list[int]:
    """The numbers of processors."""
    return sorted({row["processors"] for row in rows})


def short(number: float) -> str:
    """A number at an axis: 0.5, 64, 1,024, 10 k, 1 M."""
    for least, size, unit in ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if number >= least * (1 - 1e-9):
            return f"{number / size:g}{unit}"
    return f"{number:,.0f}" if number >= 1 else f"{number:.3g}"


def put_legend(picture: Figure, rows: Sequence[Row], height: float) -> None:
    """The legend of colours and styles, at the top right."""
    handles: list[Any] = [
        Line2D([], [], color=ACCENT, label="in order; open"),
        Line2D([], [], color=WARM, label="at random; first lookup"),
    ]
    for style, processors in zip(STYLES, counts(rows), strict=False):
        plural = "s" if processors > 1 else ""
        handles.append(
            Line2D([], [], color=INK, linestyle=style, label=f"{processors} processor{plural}", linewidth=1.2)
        )
    picture.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(0.99, 1 - 0.2 / height),
        ncols=2,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
