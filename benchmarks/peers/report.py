"""Results as tables and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import machine, machine_line
from benchmarks.peers import source
from benchmarks.peers.jobs import BY_NAME as JOBS
from benchmarks.peers.jobs import Job
from benchmarks.peers.registry import BY_NAME as PEERS
from benchmarks.peers.run import SLOW_SECONDS, Plan, Result

SAME = ("cpu", "cores_used", "python", "repeats", "seconds", "samples", "versions")


def facts(plan: Plan) -> dict[str, Any]:
    """The facts that figures depend on: machine, versions, options."""
    entries = [PEERS[name] for name in plan.peers]
    versions = {entry.needs[0]: entry.version() for entry in entries if entry.version()}
    return {
        **machine(),
        "cores_used": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "versions": versions,
        "samples": {name: plan.n(name) for name in plan.datasets},
        "repeats": plan.repeats,
        "seconds": plan.seconds,
    }


def document(machine_facts: Mapping[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    """Everything, for a JSON file."""
    rows = [
        {**dataclasses.asdict(result), "unit": JOBS[result.job].unit, "median": median(result)}
        for result in results
    ]
    return {"machine": dict(machine_facts), "results": rows}


def load(path: Path) -> tuple[dict[str, Any], list[Result]]:
    """The facts and the results of a file of `document`."""
    found = json.loads(path.read_text())
    names = [field.name for field in dataclasses.fields(Result)]
    return found["machine"], [Result(**{name: row[name] for name in names}) for row in found["results"]]


def joined(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run that continues an earlier one.

    Raises:
        SystemExit: the settings differ.
    """
    facts = {**now, "load_before": before["load_before"]}
    for name in SAME:
        old, new = before[name], now[name]
        if isinstance(old, dict):
            facts[name] = {**old, **new}
            old = {key: old[key] for key in old if key in new}
            new = {key: new[key] for key in old}
        if old != new:
            raise SystemExit(f"--resume: the earlier run had {name} {old}, this one has {new}")
    return facts


def median(result: Result) -> float | None:
    """The figure that tables show."""
    return result.spread.median if result.spread else None


def tables(machine_facts: Mapping[str, Any], results: Sequence[Result]) -> str:
    """One table per dataset, with notes on missing figures and a legend."""
    names = list(dict.fromkeys(result.dataset for result in results))
    parts = [table(name, [result for result in results if result.dataset == name]) for name in names]
    return "\n\n".join(["# Tables: comparison with other formats", *parts, legend(machine_facts)]) + "\n"


def table(dataset: str, results: Sequence[Result]) -> str:
    """Rows are peers, limits last; columns are jobs; the best of each is bold."""
    jobs = [JOBS[name] for name in dict.fromkeys(result.job for result in results)]
    peers = sorted(dict.fromkeys(result.peer for result in results), key=lambda name: PEERS[name].is_limit)
    found = {(result.peer, result.job): result for result in results}
    best = {job.name: best_of(job, results) for job in jobs}
    notes: dict[str, int] = {}
    lines = [
        f"## {source.BY_NAME[dataset].title}",
        "",
        "| | " + " | ".join(f"{job.title}, {job.unit}" for job in jobs) + " |",
        "|---|" + "--:|" * len(jobs),
    ]
    for peer in peers:
        cells = [cell(found[peer, job.name], best[job.name], notes) for job in jobs]
        lines.append(f"| {PEERS[peer].title} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *(f"\n[{number}] {note}" for note, number in notes.items())])


def best_of(job: Job, results: Sequence[Result]) -> float | None:
    """The best figure of all peers, without limits."""
    values = [
        result.spread.median
        for result in results
        if result.job == job.name and result.spread and not PEERS[result.peer].is_limit
    ]
    return (max if job.more_is_better else min)(values) if values else None


def cell(result: Result, best: float | None, notes: dict[str, int]) -> str:
    """One figure, or a reference to the note with the reason why it is missing."""
    if result.spread:
        text = figure(result.spread.median)
        return f"**{text}**" if result.spread.median == best else text
    reason = result.failed or result.missing or result.not_offered
    if not reason:
        return ""
    number = notes.setdefault(reason, len(notes) + 1)
    return f"{'failed' if result.failed else '-'} [{number}]"


def figure(value: float) -> str:
    """A number with three significant digits: 0.012, 1.23, 12.3, 123, 12.3 k, 1.23 M, 1.23 G."""
    for least, size, unit in ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if value >= least:
            return short(value / size) + unit
    return short(value)


def short(value: float) -> str:
    """At least three significant digits."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def legend(machine_facts: Mapping[str, Any]) -> str:
    """The facts that the figures depend on, in a few sentences."""
    counts = ", ".join(
        f"{source.BY_NAME[name].title}: {n:,} samples" for name, n in machine_facts["samples"].items()
    )
    others = {k: v for k, v in machine_facts["versions"].items() if k not in machine_facts}
    versions = "".join(f", {name} {version}" for name, version in others.items())
    return (
        f"{machine_line(machine_facts)}{versions}; {machine_facts['cores_used']} cores used, load before the run "
        f"{machine_facts['load_before']:.1f}. Medians of {machine_facts['repeats']} turns of "
        f"{machine_facts['seconds']:g} s{fewer_turns(machine_facts['repeats'])}. {counts}."
    )


def fewer_turns(repeats: int) -> str:
    """The jobs with fewer turns."""
    fewer = [f"{job.title}: {job.turns(repeats)}" for job in JOBS.values() if job.turns(repeats) < repeats]
    return f" ({', '.join(fewer)}; once if a turn takes over {SLOW_SECONDS:g} s)" if fewer else ""
