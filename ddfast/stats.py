"""Counters of what a reader has done."""

from ddfast.loading.stats import (
    Counts,
    ReaderStats,
    Tally,
)

__all__ = [
    "Counts",
    "ReaderStats",
    "Tally",
]
