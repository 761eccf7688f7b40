"""Comparison of counts, and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TOLERANCE = 0.05
"""Growth that is let pass: what compilers make of the same idea varies by about as much."""


@dataclass(frozen=True, slots=True)
class Change:
    """The counts of one case; None if it was not counted."""

    name: str
    before: int | None
    after: int | None

    @property
    def growth(self) -> float | None:
        """0.1 for ten per cent more instructions than before; None if one count is missing."""
        if self.before is None or self.after is None:
            return None
        return self.after / self.before - 1

    def exceeds(self, tolerance: float) -> bool:
        """Whether both counts are known and the second is larger by more than this."""
        if self.before is None or self.after is None:
            return False
        return self.after > self.before * (1 + tolerance)


def changes(before: Mapping[str, int], after: Mapping[str, int]) -> list[Change]:
    """The change of each case of either side, by name."""
    return [Change(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]


def complaints(
    found: Iterable[Change], known: Iterable[str], current: Iterable[str], tolerance: float = TOLERANCE
) -> list[str]:
    """The reasons for which a check fails, one line each; each line names the case and its counts.

    Parameters:
        found: the counts that are compared.
        known: cases of the baseline.
        current: cases that exist now.
        tolerance: growth that is accepted.
    """
    known, current = set(known), set(current)
    grown = [
        f"{c.name} grew by {c.growth:.1%}: {c.before:,} instructions before, {c.after:,} now"
        for c in found
        if c.exceeds(tolerance)
    ]
    new = [f"{name} is not in the baseline" for name in sorted(current - known)]
    gone = [f"{name} is in the baseline, but does not exist any more" for name in sorted(known - current)]
    return grown + new + gone


def table(found: Iterable[Change], before: str, after: str) -> str:
    """The counts as a Markdown table.

    Parameters:
        found: one row each.
        before: heading of the first counts.
        after: heading of the second counts.
    """

    def number(value: int | None) -> str:
        return "" if value is None else f"{value:,}"

    def share(growth: float | None) -> str:
        return "" if growth is None else f"{growth:+.1%}"

    rows = [[c.name, number(c.before), number(c.after), share(c.growth)] for c in found]
    rows.insert(0, ["kernel", before, after, "change"])
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"| {row[0]:<{widths[0]}} | "
        + " | ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        + " |"
        for row in rows
    ]
    lines.insert(
        1, f"|{'-' * (widths[0] + 2)}|" + "|".join("-" * (width + 1) + ":" for width in widths[1:]) + "|"
    )
    return "\n".join(lines)
