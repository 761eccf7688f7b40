"""Scan a data file message by message, without an index: find its samples, or check them."""

from ddfast._util.moved import moved_names
from ddfast.format.scan import (
    Damage,
    Run,
    SequentialFile,
    check_samples,
    find_samples,
    scan_checksums,
    scan_index,
)

__all__ = [
    "Damage",
    "Run",
    "SequentialFile",
    "check_samples",
    "find_samples",
    "scan_checksums",
    "scan_index",
]

__getattr__ = moved_names(__name__, {"Front": "ddfast.scan.SequentialFile"})
