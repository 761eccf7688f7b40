"""The stored counts, and the toolchain with which they were made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PATH = Path("benchmarks", "kernels", "baseline.json")
"""From the root of the repository."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Counts by case, which can be compared only with counts of the same toolchain."""

    toolchain: dict[str, str]
    counts: dict[str, int]

    @classmethod
    def read(cls, root: Path) -> Baseline:
        """The baseline of a checkout; empty if it does not exist."""
        path = root / PATH
        if not path.exists():
            return cls({"compiler": "nothing", "flags": "", "machine": ""}, {})
        stored = json.loads(path.read_text())
        return cls(stored["toolchain"], stored["counts"])

    def write(self, root: Path) -> None:
        """Store it in a checkout."""
        text = json.dumps({"toolchain": self.toolchain, "counts": self.counts}, indent=2, sort_keys=True)
        (root / PATH).write_text(text + "\n")
