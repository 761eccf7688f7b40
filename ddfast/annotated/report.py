"""What happened while an annotated dataset was read or written: counts, problems, and what had no place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ddfast.errors import FormatError, LossyExportError

MAX_PROBLEMS = 1000
"""Problems that a report keeps; others are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a source that makes no sense.

    Attributes:
        message: what is wrong, and what is done about it when it is skipped.
        file: path of the file.
        place: where in the file: ``"annotation 17"``, ``"line 3"``; empty if the whole file is meant.
        field: name of the field, or empty.
    """

    message: str
    file: str
    place: str = ""
    field: str = ""

    def __str__(self) -> str:
        where = ", ".join(filter(None, [self.file, self.place, self.field and f"field {self.field!r}"]))
        return f"{where}: {self.message}"


OnProblem = Literal["raise", "skip"] | Callable[[Problem], None]


@dataclass
class Report:
    """Counts and problems of one import or export.

    Parameters:
        on_error: ``"raise"`` raises the first problem, ``"skip"`` leaves out what has one, a function is called with
            each `Problem` and may raise.
        progress: called with the number of items that are done and the number of all, 0 while it is not known.

    Attributes:
        counts: numbers of items and annotations that were read, written or skipped.
        lost: what the target has no place for: kind and number.
        notes: facts that a user should know, such as files that no item refers to.
        problems: the first ``MAX_PROBLEMS``.
        problem_count: of all.
    """

    on_error: OnProblem = "raise"
    progress: Callable[[int, int], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    def problem(self, message: str, file: object, place: str = "", field: str = "") -> None:
        """Report something that makes no sense; when this returns, the caller leaves it out.

        Raises:
            FormatError: ``on_error`` is ``"raise"``.
        """
        problem = Problem(message, str(file), place, field)
        if self.on_error == "raise":
            raise FormatError(f'{problem}. Pass on_error="skip" (--on-error skip) to leave it out')
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        if callable(self.on_error):
            self.on_error(problem)

    def lose(self, losses: Mapping[str, int], target: str, strict: bool = False) -> None:
        """Note what the target has no place for.

        Raises:
            LossyExportError: there is something, and the export is strict.
        """
        found = {what: count for what, count in losses.items() if count}
        if found and strict:
            raise LossyExportError(f"{_listed(found)} have no place in {target}. Export without strict")
        self.lost.update(found)

    def advance(self, done: int, total: int = 0) -> None:
        """Show progress."""
        if self.progress is not None:
            self.progress(done, total)

    def to_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "counts": dict(self.counts),
            "lost": dict(self.lost),
            "notes": list(self.notes),
            "problem_count": self.problem_count,
            "problems": [
                {"file": p.file, "place": p.place, "field": p.field, "message": p.message}
                for p in self.problems
            ],
        }

    def lines(self, target: str) -> list[str]:
        """The report for readers: one sentence a line."""
        lines = list(self.notes)
        if self.lost:
            lines.append(f"{_listed(self.lost)} have no place in {target}")
        if self.problem_count:
            lines.append(f"{self.problem_count:,} problems were skipped:")
            lines += [f"  {problem}" for problem in self.problems[:10]]
            if self.problem_count > 10:
                lines.append(f"  and {self.problem_count - 10:,} more")
        return lines


def _listed(counts: Mapping[str, int]) -> str:
    """``{"captions": 12, "rotated boxes": 3}`` as ``12 captions and 3 rotated boxes``."""
    parts = [f"{count:,} {what}" for what, count in counts.items()]
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
