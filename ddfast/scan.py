"""Read a data file message by message, without an index: find its samples, or check them."""

from ddfast.format.scan import (
    Damage,
    Front,
    Run,
    check_samples,
    find_samples,
    scan_checksums,
    scan_index,
)

__all__ = [
    "Damage",
    "Front",
    "Run",
    "check_samples",
    "find_samples",
    "scan_checksums",
    "scan_index",
]
