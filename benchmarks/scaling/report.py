"""Figures of the sweeps as tables and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measure import machine_line
from benchmarks.peers.report import figure
from benchmarks.scaling.sweeps import BY_NAME, FIGURES, Sweep

Row = Mapping[str, Any]


def median(row: Row, name: str) -> float:
    """A figure of one row; rates of `Sweep.in_bytes` in bytes a second."""
    value = statistics.median(run[name] for run in row["runs"])
    is_rate = "/s" in FIGURES[name]
    return value * row["bytes"] / row["samples"] if is_rate and BY_NAME[row["sweep"]].in_bytes else value


def document(facts: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Everything, for a JSON file."""
    return {
        "machine": dict(facts),
        "rows": [{**row, "medians": {name: median(row, name) for name in FIGURES}} for row in rows],
    }


def title(sweep: Sweep, name: str) -> str:
    """The title of a figure of a sweep, with its unit."""
    return FIGURES[name].format("B" if sweep.in_bytes else "samples")


def by_sweep(rows: Iterable[Row]) -> dict[Sweep, list[Row]]:
    """The rows of each sweep."""
    found: dict[Sweep, list[Row]] = {}
    for row in rows:
        found.setdefault(BY_NAME[row["sweep"]], []).append(row)
    return found


def tables(facts: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """A page with a table for each sweep."""
    parts = [table(sweep, found) for sweep, found in by_sweep(rows).items()]
    legend = (
        f"{machine_line(facts)}; load before the run {facts['load_before']:.1f}. "
        f"Medians of {facts['repeats']} processes, {facts['seconds']:g} s for each rate."
    )
    return "\n\n".join(["# Tables: scaling", *parts, legend]) + "\n"


def table(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Rows are points, one for each number of processors."""
    lines = [
        f"## {sweep.title[0].upper()}{sweep.title[1:]}",
        "",
        f"| {sweep.title} | processors | " + " | ".join(title(sweep, name) for name in sweep.figures) + " |",
        "|--:|--:|" + "--:|" * len(sweep.figures),
    ]
    for row in rows:
        cells = [figure(median(row, name)) for name in sweep.figures]
        lines.append(f"| {row['x']:,} | {row['processors']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
