"""Counters of what a reader has done."""

from ddfast._util.renamed import renamed_names
from ddfast.loading.stats import (
    Counters,
    ReaderStats,
    ThreadCounters,
)

__all__ = [
    "Counters",
    "ReaderStats",
    "ThreadCounters",
]

__getattr__ = renamed_names(__name__, {"Counts": "ThreadCounters", "Tally": "Counters"})
