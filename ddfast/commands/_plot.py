"""The plot of ``ddfast-bench --plot``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

INK, FAINT = "#24303c", "#8a96a3"
ACCENT, PLAIN = "#0b7285", "#c3ccd5"


def require_matplotlib() -> Any:
    """The module `matplotlib.figure`, which draws without a display.

    Raises:
        ValueError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ValueError("--plot needs matplotlib: pip install matplotlib") from error
    return matplotlib.figure


def plot_rates(path: Path, title: str, subtitle: str, rates: Sequence[tuple[str, float]], unit: str) -> None:
    """Draw ``rates`` as horizontal bars, the first one in colour, into a PNG or SVG file."""
    names = [name for name, _ in rates]
    values = [value for _, value in rates]
    figure = require_matplotlib().Figure(figsize=(8, 1.1 + 0.55 * len(rates)))
    figure.subplots_adjust(left=0.16, right=0.98, bottom=0.04, top=0.70)
    axes = figure.subplots()
    colors = [ACCENT, *[PLAIN] * (len(rates) - 1)]
    bars = axes.barh(names, values, color=colors, height=0.62)
    axes.bar_label(bars, [f"{value:,.0f} {unit}" for value in values], padding=6, color=INK, fontsize=11)
    axes.invert_yaxis()
    axes.set_xlim(0, max([*values, 1.0]) * 1.22)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelsize=11, labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.spines["left"].set(visible=True, color=FAINT)
    figure.text(0.02, 0.88, title, fontsize=13, fontweight="bold", color=INK)
    figure.text(0.02, 0.77, subtitle, fontsize=9.5, color=FAINT)
    figure.savefig(path, dpi=160, facecolor="white")
