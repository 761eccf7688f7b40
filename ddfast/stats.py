"""Counters of what a reader has done."""

from ddfast._util.moved import moved_names
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

__getattr__ = moved_names(
    __name__, {"Counts": "ddfast.stats.ThreadCounters", "Tally": "ddfast.stats.Counters"}
)
